"""Faults that answer instead of the real thing."""

import gzip
from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import urlsplit

from flask import Request, Response

from kakaoauth.sandbox.apple.login import form_post
from kakaoauth.sandbox.endpoints import PAGES
from kakaoauth.sandbox.errors import KapiError, KauthError, PageError
from kakaoauth.sandbox.facebook.dialog_answer import location_of
from kakaoauth.sandbox.faults.account_codes import ACCOUNT_BACK, account_fault
from kakaoauth.sandbox.faults.active import ActiveFault
from kakaoauth.sandbox.faults.catalogue import is_kapi_code
from kakaoauth.sandbox.faults.codes import KAPI_CODES, KAUTH_CODES, REDIRECT_ERRORS
from kakaoauth.sandbox.faults.facebook_codes import DIALOG_FAULTS, GRAPH_FAULTS, graph_fault
from kakaoauth.sandbox.pages.responses import raw_state, redirect_back
from kakaoauth.sandbox.state.settings import SandboxSettings

MEGABYTE = 1024 * 1024
HUGE = 50  # megabytes, of which a client should read next to nothing
BOMB = 1024  # megabytes that one megabyte unfolds to
DEPTH = 100_000  # brackets: a recursive parser runs out of stack long before
JSON_TYPE = "application/json;charset=UTF-8"
ELSEWHERE = "/sandbox/elsewhere"


def answer_instead(active: ActiveFault, request: Request, settings: SandboxSettings) -> Response | None:
    """Return the fault's own answer, or None when it changes the real one.

    :raise Refusal: an error as the provider puts it.
    """
    name = active.fault
    refusal = account_fault(name, active.endpoint, active.status)
    if refusal is not None:
        raise refusal
    if name in ACCOUNT_BACK:
        return _back_from_account(name, active.endpoint.partition("_")[0], request, settings)
    if name in GRAPH_FAULTS:
        raise graph_fault(name, active.status)
    if name in DIALOG_FAULTS:
        return _back_from_dialog(name, request, settings)
    if name.startswith("KOE"):
        raise _koe_error(active, request)
    if is_kapi_code(name):
        raise _kapi_error(active, settings)
    if name.startswith("back_"):
        return _back(name.removeprefix("back_"), request, settings)
    if name.startswith("http_"):
        status = active.status or int(name.removeprefix("http_"))
        return Response(f"{status}\n", status, content_type="text/plain")
    if name.startswith("redirect_"):
        return Response(status=int(name.removeprefix("redirect_")), headers={"Location": elsewhere(settings)})
    body = BODIES.get(name)
    return body(active.status or 200) if body else None


def elsewhere(settings: SandboxSettings) -> str:
    """Return an address that is another host to every client and yet this sandbox: its log shows who followed."""
    parts = urlsplit(settings.issuer)
    host = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    return f"{parts.scheme}://{host}:{parts.port or 80}{ELSEWHERE}"


def _koe_error(active: ActiveFault, request: Request) -> Exception:
    if active.endpoint in PAGES:
        return PageError(active.fault, status=active.status or 400)
    error, description, status = KAUTH_CODES[active.fault]
    # As with Kakao, this description repeats the code: a client must not log it
    text = description.replace("{code}", request.form.get("code", request.args.get("code", "null")))
    return KauthError(error, text, active.fault, status=active.status or status)


def _kapi_error(active: ActiveFault, settings: SandboxSettings) -> Exception:
    code = int(active.fault)
    msg, status = KAPI_CODES[code]
    error = KapiError(
        code, msg.replace("{app_id}", str(settings.app_id)), status=active.status or status, reason=active.reason
    )
    if code == -402:
        required = list(active.fields) or ["account_email"]
        error.body |= {"api_type": "USER_ME", "required_scopes": required, "allowed_scopes": ["profile_nickname"]}
    return error


def _back(error: str, request: Request, settings: SandboxSettings) -> Response | None:
    uri = request.args.get("redirect_uri", "")
    if uri not in settings.redirect_uris:
        return None  # the real answer refuses it; never a redirect to an unknown place
    name = "access_denied" if error == "under_14" else error
    state = raw_state(request.query_string)
    return redirect_back(uri, error=name, error_description=REDIRECT_ERRORS[error], state=state)


def _back_from_dialog(name: str, request: Request, settings: SandboxSettings) -> Response | None:
    uri = request.args.get("redirect_uri", "")
    if uri not in settings.facebook.redirect_uris:
        return None
    location = location_of(uri, DIALOG_FAULTS[name], raw_state(request.query_string))
    return Response(status=302, headers={"Location": location})


def _back_from_account(name: str, provider: str, request: Request, settings: SandboxSettings) -> Response | None:
    uri = request.values.get("redirect_uri", "")
    if uri not in getattr(settings, provider).redirect_uris:
        return None
    state = request.values.get("state")
    values = ACCOUNT_BACK[name] | ({} if state is None else {"state": state})
    return form_post(uri, values) if provider == "apple" else redirect_back(uri, **values)


def _json(content: bytes, status: int) -> Response:
    return Response(content, status, content_type=JSON_TYPE)


def _huge(status: int) -> Response:
    return Response(_padding(), status, {"Content-Length": str(HUGE * MEGABYTE)}, content_type=JSON_TYPE)


def _padding() -> Iterator[bytes]:
    yield b'{"padding":"'.ljust(MEGABYTE, b"x")
    for _ in range(HUGE - 2):
        yield b"x" * MEGABYTE
    yield b'"}'.rjust(MEGABYTE, b"x")


def _bomb(status: int) -> Response:
    return Response(_gzip_bomb(), status, {"Content-Encoding": "gzip"}, content_type=JSON_TYPE)


@cache
def _gzip_bomb() -> bytes:
    # Members one after the other are one gzip stream (RFC 1952, 2.2): the same megabyte is packed only once
    return gzip.compress(b" " * MEGABYTE) * BOMB + gzip.compress(b"{}")


BODIES: dict[str, Callable[[int], Response]] = {
    "empty": lambda status: _json(b"", status),
    "html": lambda status: Response(
        "<!doctype html><title>502</title><h1>Bad gateway</h1>", status, content_type="text/html;charset=UTF-8"
    ),
    "huge_body": _huge,
    "endless_body": lambda status: Response(_padding(), status, content_type=JSON_TYPE),
    "gzip_bomb": _bomb,
    "deep_json": lambda status: _json(b"[" * DEPTH + b"]" * DEPTH, status),
    "json_list": lambda status: _json(b"[1,2,3]", status),
    "broken_utf8": lambda status: _json(b'{"error":"\xff\xfe\xed\xa0\x80"}', status),
}
STREAMED = frozenset({"huge_body", "endless_body"})
