"""What may be changed at Naver, Google and Apple while the sandbox runs, read from JSON and from the page's form."""

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from kakaoauth.sandbox.control.console import ConsoleError, read_flag, read_text, read_texts
from kakaoauth.sandbox.state.state import State

Reader = Callable[[str, Any], Any]


def _items(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(level, str) for level in value.values()):
        raise ConsoleError(f'{name} must be an object such as {{"email": "optional"}}')
    return dict(value)


READERS: dict[str, dict[str, Reader]] = {
    "naver": {
        **{"client_secret": read_text, "redirect_uris": read_texts, "items": _items, "reviewed": read_flag},
        **{"testers": read_texts, "login_enabled": read_flag, "state_required": read_flag, "own_sub": read_flag},
        **{"disconnect_url": read_text},
    },
    "google": {
        **{"client_secret": read_text, "app_client_ids": read_texts, "redirect_uris": read_texts},
        **{"testing": read_flag, "testers": read_texts, "internal": read_text, "short_issuer": read_flag},
        **{"iss_parameter": read_flag, "events_url": read_text},
    },
    "apple": {
        **{"app_ids": read_texts, "team_id": read_text, "key_id": read_text, "redirect_uris": read_texts},
        **{"local_redirects": read_flag, "texts_for_flags": read_flag, "notification_url": read_text},
    },
}
MAY_BE_NULL = frozenset({"disconnect_url", "events_url", "notification_url", "internal"})


def change_app(state: State, provider: str, wanted: Mapping[str, Any]) -> None:
    """Change the named settings, all or none. :raise ConsoleError:"""
    readers = READERS[provider]
    unknown = sorted(set(wanted) - set(readers))
    if unknown:
        raise ConsoleError(f"unknown setting: {', '.join(unknown)[:200]}")
    changes = {name: readers[name](name, value) for name, value in wanted.items()}
    for name, value in changes.items():
        if value is None and name not in MAY_BE_NULL:
            raise ConsoleError(f"{name} must be a text")
    unknown = sorted(set(changes.get("testers", ())) - set(state.accounts[provider].people))
    if unknown:
        raise ConsoleError(f"unknown person: {', '.join(unknown)[:200]}")
    try:
        state.change_account_settings(provider, **changes)
    except ValueError as error:
        raise ConsoleError(str(error)) from error


def describe_app(state: State, provider: str) -> dict[str, Any]:
    """Return the settings as they are, in the form in which they can be sent back."""
    settings = getattr(state.settings, provider)
    shown = {name: getattr(settings, name) for name in READERS[provider]}
    return {name: _plain(value) for name, value in shown.items()}


def switches_of(provider: str) -> list[str]:
    """Return the names of what can only be on or off."""
    return [name for name, reader in READERS[provider].items() if reader is read_flag]


def read_form(provider: str, form: MultiDict[str, str]) -> dict[str, bool]:
    """The page's form has the switches only; a box that is not ticked is false."""
    return {name: name in form for name in switches_of(provider)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
