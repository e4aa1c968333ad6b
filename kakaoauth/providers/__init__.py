"""Login providers: their addresses, their answers, their errors.

Each app has its own: Authlib keeps the clients it has made, so one `OAuth` for all apps would give every app the
first one's keys (authlib issue 583).
"""

from typing import NamedTuple, cast

from authlib.integrations.flask_client import OAuth
from flask import Flask, current_app

from kakaoauth.errors import NotFound, one_line
from kakaoauth.providers.apple import Apple
from kakaoauth.providers.base import Provider, TokenKeeper
from kakaoauth.providers.facebook import Facebook
from kakaoauth.providers.google import Google
from kakaoauth.providers.http import quiet_loggers
from kakaoauth.providers.kakao import Kakao
from kakaoauth.providers.login_state import StateData
from kakaoauth.providers.naver import Naver
from kakaoauth.providers.oauth import OAuthProvider

EXTENSION = "kakaoauth.providers"
#: Where Authlib leaves a registry. The app may have one of its own, for clients that are none of ours.
AUTHLIBS = "authlib.integrations.flask_client"

#: In the order of their buttons.
KNOWN: tuple[type[OAuthProvider], ...] = (Kakao, Naver, Facebook, Google, Apple)
NAMES = frozenset(kind.name for kind in KNOWN)


class Clients(OAuth):
    """Authlib's registry of clients, with our way to keep pending logins."""

    framework_integration_cls = StateData


class Registry(NamedTuple):
    """An app's providers, and what making another one takes."""

    oauth: OAuth
    keeper: TokenKeeper
    configured: dict[str, Provider]


def init_app(app: Flask, keeper: TokenKeeper) -> None:
    """Register every known provider whose client id is set. :param keeper: stores users' tokens."""
    quiet_loggers()
    theirs = app.extensions.get(AUTHLIBS)
    oauth = Clients(app)
    del app.extensions[AUTHLIBS]
    if theirs is not None:
        app.extensions[AUTHLIBS] = theirs
    app.extensions[EXTENSION] = Registry(oauth, keeper, {})
    for kind in KNOWN:
        add(app, kind)


def add(app: Flask, kind: type[OAuthProvider]) -> None:
    """Offer one more provider, if `<NAME>_CLIENT_ID` is set: docs/adding-a-provider.md."""
    if app.config.get(f"{kind.name.upper()}_CLIENT_ID"):
        registry = _registry_of(app)
        registry.configured[kind.name] = kind(registry.oauth, app.config, registry.keeper)


def find_provider(name: str) -> Provider | None:
    """Return a configured provider by its name; None if it is not configured."""
    return _registry_of(current_app).configured.get(name)


def get_provider(name: str) -> Provider:
    """Return a configured provider by its name, as it stands in an address. :raises NotFound: it is not configured."""
    provider = find_provider(name)
    if provider is None:
        raise NotFound(f"no provider {one_line(name, 40)}")
    return provider


def is_name(word: str) -> bool:
    """Whether a provider has that name, configured or not."""
    return word in NAMES or word in _registry_of(current_app).configured


def is_error_code(code: str) -> bool:
    """Whether a provider's table of error codes has this one."""
    return any(code in one.error_codes for one in _known_here())


def all_providers() -> list[Provider]:
    """The configured ones, in the order of their buttons."""
    return list(_registry_of(current_app).configured.values())


def _known_here() -> list[Provider | type[OAuthProvider]]:
    return [*KNOWN, *all_providers()]


def _registry_of(app: Flask) -> Registry:
    return cast(Registry, app.extensions[EXTENSION])
