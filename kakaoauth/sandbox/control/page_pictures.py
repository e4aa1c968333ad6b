"""The people's pictures, for the chooser and for whom user/me tells their addresses."""

from flask import Blueprint, Response, abort

from kakaoauth.sandbox.people.pictures import draw

bp = Blueprint("pictures", __name__, url_prefix="/sandbox/pictures")


@bp.get("/<path:name>")
def show(name: str) -> Response:
    """An SVG image; it is the same for ever."""
    image = draw(name)
    if image is None:
        abort(404)
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(image, headers=headers, content_type="image/svg+xml")
