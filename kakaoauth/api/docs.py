"""The API described: a document for programs, and a page for people to read and try it.

The page is written here and not by Swagger UI or the like: those load up to two megabytes before their first word, need
scripts to be read, and fail the checks for people who see badly.
"""

from flask import Blueprint, Response, g, jsonify, render_template
from flask.typing import ResponseReturnValue

from kakaoauth.api import docs_page, openapi
from kakaoauth.api.operation import operation
from kakaoauth.web import guards

bp = Blueprint("docs", __name__, url_prefix="/api")
bp.before_request(guards.anyone)


@bp.get("/openapi.json")
@operation("This document", answers={200: dict})
def document() -> Response:
    """OpenAPI 3.1."""
    return jsonify({**openapi.document(), "servers": [{"url": openapi.server()}]})


@bp.get("/docs/")
def show() -> ResponseReturnValue:
    """The page for people."""
    g.bare_page = True  # the same for everybody, and there while Redis is away
    found = openapi.document()
    return render_template(
        "kakaoauth/api/docs.html",
        info=found["info"],
        sections=docs_page.sections(found),
        models=docs_page.models(found),
        security=found["components"]["securitySchemes"],
    )
