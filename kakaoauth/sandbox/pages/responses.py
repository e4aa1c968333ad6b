"""How an answer leaves the sandbox: pages, JSON, redirects, and the headers on all of them."""

import json
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from flask import Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from kakaoauth.sandbox.accounts.errors import LoginPageError, NaverApiError, OAuthError, provider_of
from kakaoauth.sandbox.errors import KapiError, KauthError, PageError
from kakaoauth.sandbox.facebook.errors import DialogError, GraphError, is_graph_path
from kakaoauth.sandbox.pages.texts import LANGUAGES, TEXTS, translate

# No form-action here: Chromium applies it to the whole chain of redirects after a form, and where the site's
# callback sends the browser next is not ours to know. No page holds markup from outside, so little is lost.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def language() -> str:
    """Return ko or en, whatever the browser likes better."""
    return request.accept_languages.best_match(LANGUAGES, default="ko") or "ko"


def page(name: str, *, status: int = 200, template: str = "", **values: Any) -> Response:
    """Render a template, which has the page's name unless said otherwise; it finds the texts in `t`."""
    lang = language()
    html = render_template(
        f"{template or name}.html", page=name, lang=lang, t=partial(translate, language=lang), **values
    )
    return make_response(html, status)


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON, Hangul as it is and half of a surrogate pair as a question mark."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, content_type="application/json;charset=UTF-8")


def redirect_back(uri: str, **values: str | None) -> Response:
    """Answer 302 with `values` in the query; what is None is left out.

    `state` may hold bytes that are no UTF-8 (kept as surrogates): it returns exactly as it came.
    """
    pairs = {name: value for name, value in values.items() if value is not None}
    query = urlencode(pairs, quote_via=quote, safe="", errors="surrogateescape")
    location = uri if not query else f"{uri}{'&' if '?' in uri else '?'}{query}"
    return Response(status=302, headers={"Location": location})


def raw_state(query_string: bytes) -> str | None:
    """Return `state` so that even bytes that are no UTF-8 can be sent back unchanged."""
    fields = parse_qs(query_string.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    return fields["state"][0] if "state" in fields else None


def go_to(path: str, **values: str) -> Response:
    """Answer a form with a redirect to our own next page, so that a reload does not send the form again."""
    query = f"?{urlencode(values)}" if values else ""
    return Response(status=303, headers={"Location": path + query})


def add_headers(response: Response) -> Response:
    """Let no page be framed, cached or run scripts."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def show_page_error(error: PageError) -> Response:
    """Answer as Kakao's own error page."""
    reason = error.code or str(error.status)
    why = f"why_{reason}" if f"why_{reason}" in TEXTS else "why_None"
    return page("error", status=error.status, headline=error.headline, why=why, details=error.details)


def show_kauth_error(error: KauthError) -> Response:
    """Answer as kauth's JSON."""
    return json_answer(error.body, error.status)


def show_kapi_error(error: KapiError) -> Response:
    """Answer as kapi's JSON."""
    return json_answer(error.body, error.status, error.headers)


def show_graph_error(error: GraphError) -> Response:
    """Answer as the Graph API's JSON."""
    return json_answer(error.answer(), error.status, error.headers)


def show_dialog_error(error: DialogError) -> Response:
    """Answer as a page of Facebook's dialog."""
    return page("facebook_error", status=error.status, why=f"facebook_why_{error.why}", detail=error.detail)


def show_login_page_error(error: LoginPageError) -> Response:
    """Answer as a page of Naver, Google or Apple."""
    why = f"account_why_{error.error}"
    return page(
        "account_error",
        status=error.status,
        provider=error.provider,
        error=error.error,
        why=why if why in TEXTS else "account_why_other",
        detail=error.detail,
    )


def show_json_error(error: OAuthError | NaverApiError) -> Response:
    """Answer as their JSON."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if error.status == 401 else None
    return json_answer(error.body, error.status, headers)


def show_http_error(error: HTTPException) -> Response:
    """Unknown addresses, wrong methods, large bodies, our own bugs: in the format of the address that was called."""
    status = error.code or 500
    if request.path.startswith("/sandbox/api/"):
        response = json_answer({"error": error.name.lower().replace(" ", "_")}, status)
    elif provider_of(request.path) is not None:
        response = show_json_error(OAuthError("server_error" if status >= 500 else "invalid_request", status=status))
    elif is_graph_path(request.path):
        response = show_graph_error(GraphError(1, error.name, type="OAuthException", status=status))
    elif request.path.startswith(("/v1/", "/v2/")):
        response = show_kapi_error(KapiError(-1 if status >= 500 else -2, error.name, status=status))
    elif request.path in ("/oauth/token", "/oauth/tokeninfo"):
        name, code = ("server_error", "KOE003") if status >= 500 else ("invalid_request", "KOE002")
        response = show_kauth_error(KauthError(name, error.name, code, status=status))
    else:
        code_page = "KOE002" if request.path.startswith("/oauth/") and status in (404, 405) else None
        response = show_page_error(PageError(code_page, f"{status} {error.name}", status=status))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response
