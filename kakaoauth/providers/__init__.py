"""The only files that know login providers: their addresses, their answers, their errors.

Each app has its own: Authlib keeps the clients it has made, so one `OAuth` for all apps would give every app the
first one's keys (authlib issue 583).
"""

from collections.abc import Callable
from typing import cast

from authlib.integrations.flask_client import OAuth
from flask import Flask, current_app
from flask.config import Config

from kakaoauth.providers.base import Provider, TokenKeeper
from kakaoauth.providers.http import quiet_loggers
from kakaoauth.providers.kakao import Kakao
from kakaoauth.providers.pending import StateData

EXTENSION = "kakaoauth.providers"

#: A provider is offered if `<NAME>_CLIENT_ID` is set. In the order of their buttons.
KNOWN: dict[str, Callable[[OAuth, Config, TokenKeeper], Provider]] = {"kakao": Kakao}


class Clients(OAuth):
    """Authlib's registry of clients, with our way to keep pending logins."""

    framework_integration_cls = StateData


def init_app(app: Flask, keeper: TokenKeeper) -> None:
    quiet_loggers()
    oauth = Clients(app, fetch_token=keeper.fetch_token, update_token=keeper.update_token)
    app.extensions[EXTENSION] = {
        name: make(oauth, app.config, keeper)
        for name, make in KNOWN.items()
        if app.config.get(f"{name.upper()}_CLIENT_ID")
    }


def find_provider(name: str) -> Provider | None:
    return _configured().get(name)


def all_providers() -> list[Provider]:
    """The configured ones, in the order of their buttons."""
    return list(_configured().values())


def _configured() -> dict[str, Provider]:
    return cast("dict[str, Provider]", current_app.extensions[EXTENSION])
