"""What a host is asked inside the transaction: before an account is made, and before one is erased."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import current_app
from wtforms import Form

from kakaoauth.models import User
from kakaoauth.providers.values import Profile
from kakaoauth.storage.database import db

log = logging.getLogger("kakaoauth.hooks")


class Hooks:
    """The functions that a host has registered with `KakaoAuth.before_sign_up`, `before_leave` and `export`."""

    def __init__(self) -> None:
        self.before_sign_up: list[Callable[[Profile], Any]] = []
        self.before_leave: list[Callable[[User], Any]] = []
        #: What the sign-up step asks besides the terms.
        self.sign_up_form: type[Form] | None = None
        self.export: list[Callable[[User], Any]] = []


def ask_before_sign_up(profile: Profile) -> None:
    """:raises Exception: what a hook has raised; the account must not be made."""
    for hook in _hooks().before_sign_up:
        hook(profile)


def ask_before_leave(user: User) -> None:
    """:raises Exception: what a hook has raised; the account must not be erased."""
    for hook in _hooks().before_leave:
        hook(user)


class _Heard(Exception):
    """Undoes what the hooks have changed."""


def hear_before_leave(user: User) -> None:
    """The same for an account that is closed, and erased later: only to hear a refusal. What the hooks change in the
    database is undone; they are called again when the account is erased.

    :raises Exception: what a hook has raised.
    """
    if not _hooks().before_leave:
        return
    with suppress(_Heard), db.session.begin_nested():
        ask_before_leave(user)
        raise _Heard


def tell_before_leave(user: User) -> None:
    """The same where nobody may refuse: the person has withdrawn their consent at the provider."""
    for hook in _hooks().before_leave:
        try:
            with db.session.begin_nested():
                hook(user)
        except Exception as error:
            # Only the kind: the text may hold what a database was told.
            log.error("before_leave cannot keep user=%s: %s", user.id, type(error).__name__)


def sign_up_form() -> type[Form] | None:
    """Return the host's form of the sign-up step."""
    return _hooks().sign_up_form


def ask_export(user: User) -> dict[str, Any]:
    """Return what the host holds about a person, by its functions' names. :raises Exception: a hook's."""
    return {hook.__name__: hook(user) for hook in _hooks().export}


def _hooks() -> Hooks:
    hooks: Hooks = current_app.extensions["kakaoauth_hooks"]
    return hooks
