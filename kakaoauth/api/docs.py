"""The API described: a document for programs, and a page for people to read and try it.

The page is Swagger UI, served from here: no other host's script runs on this site.
"""

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, abort, g, jsonify, make_response, render_template
from flask.typing import ResponseReturnValue

from kakaoauth.api import openapi
from kakaoauth.api.operation import operation
from kakaoauth.web import edge, guards, static_files

bp = Blueprint("docs", __name__, url_prefix="/api")
bp.before_request(guards.anyone)

PACKAGE = "flask_swagger_ui"
FOLDER = Path(str(files(PACKAGE))) / "dist"
ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css")
#: In the assets' addresses: another version is another address, so a browser may keep each for good.
VERSION = version(PACKAGE)
ASSET_SECONDS = 365 * 86400


@bp.get("/openapi.json")
@operation("This document", answers={200: dict})
def document() -> Response:
    """OpenAPI 3.1."""
    return jsonify(openapi.document())


@bp.get("/docs/")
def show() -> ResponseReturnValue:
    """The page for people."""
    g.bare_page = True  # the same for everybody, and there while Redis is away
    response = make_response(render_template("kakaoauth/api/docs.html", assets=ASSETS, version=VERSION))
    # Swagger UI's style sheet holds its icons in itself. A picture cannot run a script.
    response.headers["Content-Security-Policy"] = edge.content_security_policy(images="data:")
    return response


@bp.get("/docs/assets/<version>/<name>")
def asset(version: str, name: str) -> ResponseReturnValue:
    """A script or style sheet of Swagger UI. :raise 404: another version's, or one that the page does not use."""
    if version != VERSION or name not in ASSETS:
        abort(404)
    return static_files.send(FOLDER / name, ASSET_SECONDS, is_immutable=False)
