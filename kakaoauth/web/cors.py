"""CORS: scripts of exactly KAKAOAUTH_FRONTEND_ORIGINS may call the API, with cookies (the Fetch standard).

Written by hand, because Flask-CORS reads origins as patterns.
"""

from flask import Blueprint, Response, current_app, request

from kakaoauth.web.mounting import own_path

#: Paths that a front end calls.
PREFIX = "/api/"
METHODS = "GET, POST, PUT, PATCH, DELETE"
#: Beyond those that need no permission.
HEADERS = "Authorization, Content-Type, X-CSRF-Token"
#: What a script may read besides the body.
EXPOSED = "Retry-After, WWW-Authenticate"
#: Seconds a browser remembers the answer to its preflight.
REMEMBERED = 600


def init_blueprint(bp: Blueprint) -> None:
    """Add CORS to the API's addresses. Those below `/api/` that do not exist get it from the site: `web.edge`."""
    bp.before_request(answer_preflight)
    bp.after_request(add_headers)


def answer_preflight() -> Response | None:
    """Answer a preflight before any guard: it carries neither token nor cookie."""
    if request.method != "OPTIONS" or not _concerns_us() or "Access-Control-Request-Method" not in request.headers:
        return None
    return Response(status=204)


def add_headers(response: Response) -> Response:
    """Add the CORS headers to a response of the API."""
    if not own_path().startswith(PREFIX):
        return response
    response.vary.add("Origin")
    if not _concerns_us():
        return response
    response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = HEADERS
        response.headers["Access-Control-Max-Age"] = str(REMEMBERED)
    return response


def _concerns_us() -> bool:
    return (
        own_path().startswith(PREFIX)
        and request.headers.get("Origin") in current_app.config["KAKAOAUTH_FRONTEND_ORIGINS"]
    )
