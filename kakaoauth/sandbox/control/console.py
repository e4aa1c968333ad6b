"""The console's switches: what may be changed while the sandbox runs, read from JSON and from the page's form."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from kakaoauth.sandbox.kakao.authorization_request import split_list
from kakaoauth.sandbox.state.settings import CATALOGUE, ConsentItem, SandboxSettings
from kakaoauth.sandbox.state.state import State


class ConsoleError(ValueError):
    """The console can't be set like this."""


def change_console(state: State, wanted: Mapping[str, Any]) -> None:
    """Change the named settings, all or none. :raise ConsoleError:"""
    changes: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in READERS:
            raise ConsoleError(f"unknown setting: {name}")
        changes[name] = READERS[name](name, value)
    unknown = set(changes.get("members", ())) - set(state.people)
    if unknown:
        raise ConsoleError(f"unknown person: {', '.join(sorted(unknown))}")
    try:
        state.change_settings(**changes)
    except ValueError as error:
        raise ConsoleError(str(error)) from error


def describe_console(settings: SandboxSettings) -> dict[str, Any]:
    """Return the switches as they are, in the form in which they can be sent back."""
    shown = {name: getattr(settings, name) for name in READERS}
    shown = {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()}
    shown["service_terms"] = {term.id: term.level for term in settings.service_terms}
    return shown | {"consent_items": {item.id: item.level for item in settings.consent_items}}


def read_form(form: MultiDict[str, str]) -> dict[str, Any]:
    """Turn the page's form into what JSON would have said; a box that is not ticked is false."""
    wanted: dict[str, Any] = {name: name in form for name in SWITCHES}
    wanted |= {name: form.get(name, "").split() for name in LISTS}
    wanted |= {name: form.get(name, "").strip() or None for name in TEXTS}
    wanted["admin_key_apis"] = form.getlist("admin_key_apis") if "admin_key_limited" in form else None
    wanted["unlink_webhook_method"] = form.get("unlink_webhook_method", "POST")
    levels = {item: form.get(f"item_{item}", "") for item in CATALOGUE}
    wanted["consent_items"] = {item: level for item, level in levels.items() if level}
    lines = [line.rsplit(None, 1) for line in form.get("service_terms", "").splitlines() if line.strip()]
    wanted["service_terms"] = {line[0].strip(): line[1] if len(line) > 1 else "required" for line in lines}
    return wanted


def read_flag(name: str, value: Any) -> bool:
    """Return the value. :raise ConsoleError: neither true nor false."""
    if not isinstance(value, bool):
        raise ConsoleError(f"{name} must be true or false")
    return value


def read_text(name: str, value: Any) -> str | None:
    """Return the value, None for null. :raise ConsoleError: no text, or an empty one."""
    if value is not None and not (isinstance(value, str) and value):
        raise ConsoleError(f"{name} must be a text or null")
    return value


def _method(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConsoleError(f"{name} must be GET or POST")
    return value


def read_texts(name: str, value: Any) -> tuple[str, ...]:
    """Return a list without repetitions. :raise ConsoleError: no list of texts."""
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ConsoleError(f"{name} must be a list of texts")
    return tuple(dict.fromkeys(value))


def _addresses(name: str, value: Any) -> tuple[str, ...]:
    texts = read_texts(name, value)
    try:
        return tuple(str(ipaddress.ip_address(text)) for text in texts)
    except ValueError as error:
        raise ConsoleError(f"{name}: {error}") from error


def _apis(name: str, value: Any) -> tuple[str, ...] | None:
    return None if value is None else read_texts(name, value)


def _items(name: str, value: Any) -> tuple[ConsentItem, ...]:
    if not isinstance(value, dict) or not all(isinstance(level, str) for level in value.values()):
        raise ConsoleError(f'{name} must be an object such as {{"account_email": "optional"}}')
    return tuple(ConsentItem(item, level) for item, level in value.items())


def _terms(name: str, value: Any) -> tuple[ConsentItem, ...]:
    found = _items(name, value)
    if any(not term.id or len(split_list(term.id)) != 1 or term.id != term.id.strip() for term in found):
        raise ConsoleError("a tag of service_terms has no blank and no comma")
    return found


SWITCHES = (
    *("login_enabled", "oidc", "test_app", "under_14_allowed", "legacy_fields"),
    *("strict", "token_redirect_uri_required", "access_token_in_query_allowed", "token_parameters_in_query_allowed"),
)
LISTS = ("members", "redirect_uris", "logout_redirect_uris", "allowed_ips")
TEXTS = ("client_secret", "unlink_webhook_url", "account_status_webhook_url")
READERS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(SWITCHES, read_flag),
    **dict.fromkeys(LISTS, read_texts),
    **dict.fromkeys(TEXTS, read_text),
    "allowed_ips": _addresses,
    "admin_key_apis": _apis,
    "unlink_webhook_method": _method,
    "consent_items": _items,
    "service_terms": _terms,
}
