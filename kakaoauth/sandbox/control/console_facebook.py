"""The app's settings that may be changed while the sandbox runs, read from JSON and from the page's form."""

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from kakaoauth.sandbox.control.console import ConsoleError, read_flag, read_text, read_texts
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.sandbox.state.state import State

READERS: dict[str, Callable[[str, Any], Any]] = {
    "client_secret": read_text,
    "redirect_uris": read_texts,
    "deauthorize_url": read_text,
    "data_deletion_url": read_text,
    "require_app_secret": read_flag,
    "live": read_flag,
    "versions": read_texts,
}
SWITCHES = ("require_app_secret", "live")


def change_app(state: State, wanted: Mapping[str, Any]) -> None:
    """Change the named settings, all or none. :raise ConsoleError:"""
    unknown = sorted(set(wanted) - set(READERS))
    if unknown:
        raise ConsoleError(f"unknown setting: {', '.join(unknown)[:200]}")
    changes = {name: READERS[name](name, value) for name, value in wanted.items()}
    if changes.get("client_secret", "") is None:
        raise ConsoleError("client_secret must be a text")
    try:
        state.change_facebook(**changes)
    except ValueError as error:
        raise ConsoleError(str(error)) from error


def describe_app(app: FacebookSettings) -> dict[str, Any]:
    """Return the settings as they are, in the form in which they can be sent back."""
    shown = {name: getattr(app, name) for name in READERS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()}


def read_form(form: MultiDict[str, str]) -> dict[str, bool]:
    """The page's form has the two switches only; a box that is not ticked is false."""
    return {name: name in form for name in SWITCHES}
