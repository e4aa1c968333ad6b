"""Settings: where they come from, their defaults, and what an incomplete configuration embeds.

Precedence, highest first: the process environment, `.env` in the project's root, `instance/config.py`, the defaults
below. What is not given is *embedded*: a private Redis under `instance/` and the Kakao sandbox, both for this machine
only. `load` raises `ConfigError`, whose text is one line naming the setting and the cure.
"""

import contextlib
import math
import os
import secrets
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote

from dotenv import dotenv_values
from flask import Config

from kakaoauth.config.checks import ConfigError, check, check_facebook_is_whole, check_kakao_is_whole
from kakaoauth.config.libraries import derive

__all__ = ["ConfigError", "Settings", "is_loopback", "load"]

ROOT = Path(__file__).resolve().parents[2]

#: The sandbox's app. Public on purpose: it opens nothing but the imitation on one's own machine, and the site refuses
#: it anywhere else (`_embed`).
SANDBOX_APP_ID = 100001
SANDBOX_CLIENT_ID = "5a9db0c5a9db0c5a9db0c5a9db0c0001"
SANDBOX_CLIENT_SECRET = "SandboxSecretNotForKakao00000001"  # noqa: S105
SANDBOX_ADMIN_KEY = "5a9db0c5a9db0c5a9db0c5a9db0cad31"
SANDBOX_FACEBOOK_CLIENT_ID = "100000000000001"
SANDBOX_FACEBOOK_CLIENT_SECRET = "5a9db0fb5a9db0fb5a9db0fb5a9db0fb"  # noqa: S105


class Settings:
    """Every setting with its default. The type says how text from the environment is read."""

    #: Flask's secret, 32 characters or more. Made once into `instance/` while anything is embedded.
    SECRET_KEY: str = ""
    #: Former ones, comma separated: by them suspended people are known again whose accounts were erased.
    SECRET_KEY_FALLBACKS: tuple[str, ...] = ()
    #: Any SQLAlchemy URL; `postgres://` and `postgresql://` mean psycopg 3.
    DATABASE_URL: str = ""
    #: `redis://`, `rediss://`, `unix://`, `redis+sentinel://host,host/name/db`, `redis+cluster://host,host`.
    REDIS_URL: str = ""

    #: REST API key. Without it the site uses the sandbox.
    KAKAO_CLIENT_ID: str = ""
    #: Sent with every token call when set. Kakao switches it on for new keys.
    KAKAO_CLIENT_SECRET: str = ""
    #: Primary admin key: webhooks, and unlink or logout of a user who holds no token.
    KAKAO_ADMIN_KEY: str = ""
    #: Numeric app id: access tokens of other apps are refused by it.
    KAKAO_APP_ID: int = 0
    #: Used byte for byte when set; otherwise the callback's absolute address.
    KAKAO_REDIRECT_URI: str = ""
    #: Consent items to ask for, e.g. `openid,account_email`; empty lets the console decide.
    KAKAO_SCOPE: str = ""
    #: App keys besides KAKAO_CLIENT_ID, comma separated, that id_tokens may have been made for (native app key).
    KAKAO_ID_TOKEN_AUDIENCES: tuple[str, ...] = ()
    #: OAuth and OpenID Connect host; also the issuer of id_tokens.
    KAKAO_KAUTH_URL: str = "https://kauth.kakao.com"
    #: Resource API host.
    KAKAO_KAPI_URL: str = "https://kapi.kakao.com"
    #: Seconds a whole login may spend talking to Kakao.
    KAKAO_DEADLINE_SECONDS: float = 5.0
    #: Seconds to open a connection to Kakao, within the deadline.
    KAKAO_CONNECT_SECONDS: float = 2.0
    #: Seconds Kakao may stay silent in one call, within the deadline.
    KAKAO_READ_SECONDS: float = 4.0
    #: Calls to Kakao in flight per process; half as many wait, more fail at once with "Kakao is slow".
    KAKAO_MAX_CALLS: int = 16
    #: `true` reads HTTPS_PROXY and friends for calls to Kakao.
    KAKAO_PROXY_FROM_ENV: bool = False

    #: App id. Without it there is no Facebook button; with the sandbox's, its imitation of Facebook answers.
    FACEBOOK_CLIENT_ID: str = ""
    #: App secret.
    FACEBOOK_CLIENT_SECRET: str = ""
    #: Used byte for byte when set; otherwise the callback's absolute address.
    FACEBOOK_REDIRECT_URI: str = ""
    #: Host of the login dialog.
    FACEBOOK_DIALOG_URL: str = "https://www.facebook.com"
    #: Graph API host.
    FACEBOOK_GRAPH_URL: str = "https://graph.facebook.com"
    #: Version of both. Facebook retires each about two years after it came.
    FACEBOOK_GRAPH_VERSION: str = "v24.0"

    #: Fernet keys that encrypt stored provider tokens, comma separated, the newest first. Empty: made from SECRET_KEY.
    TOKEN_KEYS: tuple[str, ...] = ()

    #: `false` lets people without a trusted e-mail in; their e-mail stays empty.
    EMAIL_REQUIRED: bool = True
    #: A session ends after this many seconds unused (14 days) ...
    SESSION_IDLE_SECONDS: int = 14 * 86400
    #: ... and after this many whatever happens (90 days).
    SESSION_MAX_SECONDS: int = 90 * 86400
    #: The same for staff: 12 hours unused ...
    STAFF_SESSION_IDLE_SECONDS: int = 12 * 3600
    #: ... and 7 days whatever happens.
    STAFF_SESSION_MAX_SECONDS: int = 7 * 86400

    #: Our access tokens live this long (5 minutes).
    ACCESS_TOKEN_SECONDS: int = 300
    #: A refresh token lives this long unused (7 days); a family of them ends like a session, at SESSION_MAX_SECONDS.
    REFRESH_TOKEN_SECONDS: int = 604800
    #: HS256, or RS256 and ES256, whose public keys other services find at `/.well-known/jwks.json`.
    ACCESS_TOKEN_ALGORITHM: str = "HS256"  # noqa: S105

    #: Exact origins, comma separated, that a login may return to and whose scripts may use the API. With the sandbox:
    #: the example front end's.
    FRONTEND_ORIGINS: tuple[str, ...] = ()
    #: How many proxies' `X-Forwarded-*` are believed.
    TRUSTED_PROXIES: int = 0
    #: Scheme and host of the site, e.g. `https://login.example.kr`; when set, the Host header decides nothing.
    PUBLIC_URL: str = ""
    #: `false` counts no requests, for load tests: see rate_limits.
    RATE_LIMITS: bool = True
    #: Calls to providers that all apps' logins may cost in a minute, two each: see provider_quota.
    PROVIDER_CALLS_PER_MINUTE: int = 600

    #: The audit trail goes back this many days; what is older is removed.
    AUDIT_DAYS: int = 365
    #: Opens `/metrics` to a scraper elsewhere (`Authorization: Bearer ...`); empty: for this machine alone.
    METRICS_TOKEN: str = ""

    #: Port of the site on this machine.
    PORT: int = 8000
    #: Port of the Kakao sandbox on this machine.
    SANDBOX_PORT: int = 8001
    #: Port of the example front end on this machine; it goes with the sandbox.
    FRONTEND_PORT: int = 8002
    #: DEBUG, INFO, WARNING or ERROR.
    LOG_LEVEL: str = "INFO"
    #: Where the embedded parts keep their data.
    INSTANCE_PATH: str = str(ROOT / "instance")


TYPES = get_type_hints(Settings)
NAMES = tuple(TYPES)


def load(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return Flask's configuration.

    With `overrides` (tests) neither the environment nor a file is read.

    :raises ConfigError: half a configuration, or a value that cannot be meant.
    """
    given = _collect() if overrides is None else dict(overrides)
    values = {name: getattr(Settings, name) for name in NAMES}
    for name, raw in given.items():
        values[name] = _parse(name, raw) if name in TYPES else raw
    check_kakao_is_whole(values, Settings)
    _embed(values)
    _embed_facebook(values)
    check_facebook_is_whole(values, Settings)
    check(values, TYPES)
    derive(values)
    return values


def embedded_redis_socket(instance: Path) -> Path:
    """Where the embedded Redis listens. A socket's path holds about 100 bytes, so deep folders get a short alias."""
    socket = instance / "redis" / "redis.sock"
    if len(os.fsencode(socket)) <= 100:
        return socket
    digest = sha256(os.fsencode(instance)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"kakaoauth-{os.getuid()}-{digest}" / "redis.sock"


def _collect() -> dict[str, Any]:
    """The settings as given, before they are read as types."""
    dotenv = {k: v for k, v in dotenv_values(ROOT / ".env").items() if v is not None}
    instance = os.environ.get("INSTANCE_PATH") or dotenv.get("INSTANCE_PATH") or Settings.INSTANCE_PATH
    from_file = Config(instance)
    try:
        from_file.from_pyfile("config.py", silent=True)
    except Exception as error:
        raise ConfigError(
            f"instance/config.py cannot be read ({type(error).__name__}): correct it or remove it"
        ) from None
    merged: dict[str, Any] = dict(from_file)
    for source in (dotenv, os.environ):
        merged.update({name: source[name] for name in NAMES if source.get(name, "") != ""})
    if os.environ.get("FLASK_DEBUG"):
        merged["DEBUG"] = os.environ["FLASK_DEBUG"].strip().lower() not in ("0", "false", "no", "")
    return merged


def _parse(name: str, raw: Any) -> Any:
    kind = TYPES[name]
    if not isinstance(raw, str):
        return _typed(name, raw)
    text = raw.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ConfigError(f"{name} is wrapped in quotation marks: remove them")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ConfigError(f"{name} contains a line break or control character: remove it")
    if kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise ConfigError(f"{name} must be true or false")
    if kind in (int, float):
        try:
            return _typed(name, kind(text))
        except ValueError:
            raise ConfigError(f"{name} must be a number") from None
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _typed(name: str, raw: Any) -> Any:
    """A value that is no text: `instance/config.py` may hold anything."""
    kind = TYPES[name]
    if kind is str:
        raise ConfigError(f"{name} must be text")
    if kind is bool:
        if not isinstance(raw, bool):
            raise ConfigError(f"{name} must be true or false")
        return raw
    if kind in (int, float):
        if isinstance(raw, bool) or not isinstance(raw, int | kind) or not math.isfinite(raw):
            raise ConfigError(f"{name} must be a number")
        return kind(raw)
    if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
        raise ConfigError(f"{name} must be a list of texts")
    return tuple(raw)


def _embed(values: dict[str, Any]) -> None:
    """Fill in what was not given: which parts, stands in EMBEDDED."""
    instance = Path(values["INSTANCE_PATH"]).resolve()
    values["INSTANCE_PATH"] = str(instance)
    embedded = set()
    if not values["REDIS_URL"]:
        embedded.add("redis")
        values["REDIS_URL"] = f"unix://{quote(str(embedded_redis_socket(instance)))}"
    if not values["KAKAO_CLIENT_ID"]:
        embedded.add("kakao")
        sandbox = f"http://127.0.0.1:{values['SANDBOX_PORT']}"
        values.update(
            KAKAO_CLIENT_ID=SANDBOX_CLIENT_ID,
            KAKAO_CLIENT_SECRET=SANDBOX_CLIENT_SECRET,
            KAKAO_ADMIN_KEY=SANDBOX_ADMIN_KEY,
            KAKAO_APP_ID=SANDBOX_APP_ID,
            KAKAO_KAUTH_URL=sandbox,
            KAKAO_KAPI_URL=sandbox,
        )
        if not values["FRONTEND_ORIGINS"]:
            values["FRONTEND_ORIGINS"] = (f"http://localhost:{values['FRONTEND_PORT']}",)
    elif values["KAKAO_CLIENT_ID"] == SANDBOX_CLIENT_ID:
        raise ConfigError(
            "KAKAO_CLIENT_ID is the sandbox's: set your app's REST API key, or remove it to use the sandbox"
        )
    values["EMBEDDED"] = frozenset(embedded)
    if not values["DATABASE_URL"]:
        values["DATABASE_URL"] = f"sqlite:///{quote(str(instance / 'kakaoauth.db'))}"
    if not values["SECRET_KEY"] and embedded:
        values["SECRET_KEY"] = _secret_of_this_machine(instance)


def _embed_facebook(values: dict[str, Any]) -> None:
    """The sandbox's Facebook is asked for by its app id."""
    if values["FACEBOOK_CLIENT_ID"] != SANDBOX_FACEBOOK_CLIENT_ID:
        return
    if "kakao" not in values["EMBEDDED"]:
        raise ConfigError("FACEBOOK_CLIENT_ID is the sandbox's: set your app's id, or remove it")
    sandbox = values["KAKAO_KAUTH_URL"]
    values.update(
        FACEBOOK_CLIENT_SECRET=SANDBOX_FACEBOOK_CLIENT_SECRET, FACEBOOK_DIALOG_URL=sandbox, FACEBOOK_GRAPH_URL=sandbox
    )


def _secret_of_this_machine(instance: Path) -> str:
    """Read or make the secret; made under a private name first so that two starts at once agree on one."""
    path = instance / "secret_key"
    try:
        if not path.exists():
            instance.mkdir(parents=True, exist_ok=True)
            draft = instance / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(
            f"SECRET_KEY cannot be kept in {instance} ({error.strerror}): make the folder writable or set SECRET_KEY"
        ) from None
