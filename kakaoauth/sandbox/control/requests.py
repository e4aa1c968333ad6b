"""How the control API is guarded, read and refused."""

from typing import Any

from flask import Response, request

from kakaoauth.sandbox.pages.responses import json_answer

HEADER = "X-Sandbox"
LARGEST_NUMBER = 10**9


class ControlError(ValueError):
    """The request can't be carried out as it is."""


def check_header() -> Response | None:
    """Refuse changes without the header.

    A page elsewhere can make the developer's browser send a form here; it can't add a header of its own without
    asking first (CORS), and the sandbox never says yes.
    """
    if request.method in ("GET", "HEAD") or request.headers.get(HEADER) == "1":
        return None
    return json_answer({"error": "forbidden", "error_description": f"send the header {HEADER}: 1"}, 403)


def read_body(*known: str) -> dict[str, Any]:
    """Return the JSON object that was sent, {} for no body. :raise ControlError: not an object, or unknown names."""
    body = request.get_json(force=True, silent=True) if request.get_data() else {}
    if not isinstance(body, dict):
        raise ControlError("the body must be a JSON object")
    unknown = sorted(set(body) - set(known))
    if known and unknown:
        raise ControlError(f"unknown: {', '.join(unknown)[:200]}")
    return body


def text_of(body: dict[str, Any], name: str, default: str = "") -> str:
    """Return a text of the body. :raise ControlError: it is another type."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise ControlError(f"{name} must be a text")
    return value


def texts_of(body: dict[str, Any], name: str) -> list[str]:
    """Return a list of texts, empty if there is none. :raise ControlError: it is another type."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ControlError(f"{name} must be a list of texts")
    return value


def flag_of(body: dict[str, Any], name: str) -> bool:
    """Return a boolean, False if there is none. :raise ControlError: it is another type."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise ControlError(f"{name} must be true or false")
    return value


def number_of(body: dict[str, Any], name: str, default: int) -> int:
    """Return a whole number. :raise ControlError: it is another type, or beyond a thousand millions."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not abs(value) <= LARGEST_NUMBER:
        raise ControlError(f"{name} must be a whole number")
    return value


def refuse(error: ValueError) -> Response:
    """Answer 400 with the reason."""
    return json_answer({"error": "invalid_request", "error_description": str(error)}, 400)
