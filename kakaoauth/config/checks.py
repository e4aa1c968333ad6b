"""Which settings are refused at start: half a configuration, and values that cannot be meant."""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from click import ClickException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

REDIRECT_URIS = (
    "KAKAO_REDIRECT_URI",
    "FACEBOOK_REDIRECT_URI",
    "NAVER_REDIRECT_URI",
    "GOOGLE_REDIRECT_URI",
    "APPLE_REDIRECT_URI",
)
PORTS = ("PORT", "SANDBOX_PORT", "FRONTEND_PORT")
#: A backslash is a slash to browsers, and none here.
NEVER_IN_ADDRESS = re.compile(r"[\s\\]")
#: What stands in a header, where other characters cannot.
IN_HEADERS = ("KAKAO_ADMIN_KEY", "METRICS_TOKEN")
#: No braces: with them a Cluster would keep all keys on one node.
REDIS_PREFIX = re.compile(r"[A-Za-z0-9.:_-]{0,50}")
#: 32 bytes in base64url. Fernet itself reads `key;key` as the first of the two.
FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
GRAPH_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")


class ConfigError(ClickException):
    """One line that names the setting and the cure; never a secret's value. A command shows it without a traceback."""


@lru_cache(maxsize=1024)  # every page asks, of few hosts
def is_loopback(host: str | None) -> bool:
    """Whether a host name (no port) can only mean this machine."""
    if not host:
        return False
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
        # `::ffff:127.0.0.1` is what a socket for both families calls this machine.
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return False


#: Seconds, a hundred years: beyond, neither Redis nor a date can hold a time.
LONGEST = 100 * 365 * 86400
#: Times whose 0 has a meaning.
MAY_BE_NOTHING = ("KAKAOAUTH_PROFILE_REFRESH_SECONDS",)


def check(values: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Check what `config.load` put together; `kinds` says each setting's type.

    :raises ConfigError:
    """
    _check_secret(values["SECRET_KEY"])
    for name in ("KAKAO_KAUTH_URL", "KAKAO_KAPI_URL", "FACEBOOK_DIALOG_URL", "FACEBOOK_GRAPH_URL", "PUBLIC_URL"):
        if values[name]:
            _check_origin(name, values[name])
    for origin in values["KAKAOAUTH_FRONTEND_ORIGINS"]:
        _check_origin("KAKAOAUTH_FRONTEND_ORIGINS", origin)
    for name in REDIRECT_URIS:
        if values[name]:
            _check_https(name, values[name])
    if not GRAPH_VERSION.fullmatch(values["FACEBOOK_GRAPH_VERSION"]):
        raise ConfigError("FACEBOOK_GRAPH_VERSION must be like v24.0")
    _check_numbers(values, kinds)
    _check_choices(values)
    if values["METRICS_TOKEN"] and len(values["METRICS_TOKEN"]) < 16:
        raise ConfigError("METRICS_TOKEN is too short: use 16 random characters or more")
    for name in IN_HEADERS:
        if not values[name].isascii():
            raise ConfigError(f"{name} must be letters, digits and signs of ASCII, since it stands in a header")
    _check_redis(values["REDIS_URL"], values["KAKAOAUTH_REDIS_PREFIX"])
    _check_embedded_stays_here(values)


def _check_numbers(values: dict[str, Any], kinds: dict[str, Any]) -> None:
    for name, kind in kinds.items():
        if kind in (int, float) and values[name] < 0:
            raise ConfigError(f"{name} must not be negative")
        if name.endswith("_SECONDS") and values[name] <= 0 and name not in MAY_BE_NOTHING:
            raise ConfigError(f"{name} must be more than 0 seconds")
        if name.endswith("_SECONDS") and values[name] > LONGEST:
            raise ConfigError(f"{name} must be {LONGEST} seconds or fewer")
        if name in PORTS and not 1 <= values[name] <= 65535:
            raise ConfigError(f"{name} is {values[name]}: choose a port from 1 to 65535")
    if values["PROVIDER_MAX_CALLS"] < 1:
        raise ConfigError("PROVIDER_MAX_CALLS must be 1 or more")
    if values["PROVIDER_MAX_CALLS"] > 1000:  # each may hold a connection and a thread
        raise ConfigError("PROVIDER_MAX_CALLS must be 1000 or fewer")
    if not 2 <= values["PROVIDER_CALLS_PER_MINUTE"] <= 1_000_000:
        raise ConfigError("PROVIDER_CALLS_PER_MINUTE must be from 2 to 1000000")
    for name in ("KAKAOAUTH_LEAVE_GRACE_DAYS", "KAKAOAUTH_REJOIN_BLOCK_DAYS"):
        if not 0 <= values[name] <= 3650:
            raise ConfigError(f"{name} must be from 0 to 3650")
    if not 1 <= values["KAKAOAUTH_AUDIT_DAYS"] <= 36500:
        raise ConfigError("KAKAOAUTH_AUDIT_DAYS must be from 1 to 36500")


def _check_choices(values: dict[str, Any]) -> None:
    if values["LOG_LEVEL"].upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigError("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR")
    if values["LOG_FORMAT"] not in ("text", "json"):
        raise ConfigError("LOG_FORMAT must be text or json")
    if values["KAKAOAUTH_LANGUAGE"] not in ("", "ko", "en"):
        raise ConfigError("KAKAOAUTH_LANGUAGE must be ko or en, or not set for the visitor's")
    if values["KAKAOAUTH_ACCESS_TOKEN_ALGORITHM"] not in ("HS256", "RS256", "ES256"):
        raise ConfigError("KAKAOAUTH_ACCESS_TOKEN_ALGORITHM must be HS256, RS256 or ES256")
    if not all(map(FERNET_KEY.fullmatch, values["KAKAOAUTH_TOKEN_KEYS"])):
        raise ConfigError(
            "KAKAOAUTH_TOKEN_KEYS must be Fernet keys, comma separated, the newest first: make one with"
            " `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
        )


def check_kakao_is_whole(values: dict[str, Any], defaults: type) -> None:
    """Without KAKAO_CLIENT_ID the sandbox serves: a setting for the real Kakao beside it is half a configuration.

    :raises ConfigError:
    """
    if values["KAKAO_CLIENT_ID"]:
        return
    for name in ("KAKAO_CLIENT_SECRET", "KAKAO_ADMIN_KEY", "KAKAO_APP_ID", "KAKAO_REDIRECT_URI"):
        if values[name]:
            raise ConfigError(
                f"{name} is set but KAKAO_CLIENT_ID is not: set KAKAO_CLIENT_ID to the app's REST API key"
            )
    for name in ("KAKAO_KAUTH_URL", "KAKAO_KAPI_URL"):
        if values[name] != getattr(defaults, name):
            raise ConfigError(f"{name} is set but KAKAO_CLIENT_ID is not: set KAKAO_CLIENT_ID, or remove {name}")


def check_facebook_is_whole(values: dict[str, Any], defaults: type) -> None:
    """Facebook is off, or has both id and secret: it lets nobody in without.

    :raises ConfigError:
    """
    if values["FACEBOOK_CLIENT_ID"]:
        if not values["FACEBOOK_CLIENT_SECRET"]:
            raise ConfigError(
                "FACEBOOK_CLIENT_ID is set but FACEBOOK_CLIENT_SECRET is not: set it to the app secret, see the"
                " App Dashboard under App settings > Basic"
            )
        return
    for name in ("FACEBOOK_CLIENT_SECRET", "FACEBOOK_REDIRECT_URI", "FACEBOOK_DIALOG_URL", "FACEBOOK_GRAPH_URL"):
        if values[name] != getattr(defaults, name):
            raise ConfigError(f"{name} is set but FACEBOOK_CLIENT_ID is not: set FACEBOOK_CLIENT_ID, or remove {name}")


def _check_secret(secret: str) -> None:
    if not secret:
        raise ConfigError(
            "SECRET_KEY is missing: set it to 32 random characters or more,"
            " e.g. from `python -c 'import secrets; print(secrets.token_urlsafe(48))'`"
        )
    if len(secret) < 32:
        raise ConfigError("SECRET_KEY is too short: use 32 random characters or more")


def _check_origin(name: str, value: str) -> None:
    parts = _split(name, value)
    if parts.path not in ("", "/") or "?" in value or "#" in value or "@" in value or "*" in value:
        raise ConfigError(f"{name} must be scheme and host only, like https://example.kr")
    if not value.isascii():  # as it is in the Host and Origin headers
        raise ConfigError(f"{name} must have its host in ASCII, as browsers send it: https://xn--...")
    _check_https(name, value)


def _check_https(name: str, value: str) -> None:
    parts = _split(name, value)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(f"{name} must use https:// (plain http:// only on this machine)")


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        if is_address and not NEVER_IN_ADDRESS.search(value):
            return parts
    except ValueError:
        pass
    raise ConfigError(f"{name} must be an absolute address that begins with https://")


def check_database(url: str) -> None:
    """:raises ConfigError: no URL that SQLAlchemy can read, or one whose driver is not installed."""
    try:
        make_url(url).get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError, ValueError):
        raise ConfigError(
            "DATABASE_URL cannot be used: it must be like postgresql+psycopg://user:password@host/name,"
            " and its driver must be installed"
        ) from None


def _check_redis(url: str, prefix: str) -> None:
    if not REDIS_PREFIX.fullmatch(prefix):
        raise ConfigError("KAKAOAUTH_REDIS_PREFIX may have letters, digits and . : _ - only, like shop:")
    scheme = url.split("://", 1)[0]
    if scheme not in ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster"):
        raise ConfigError(
            "REDIS_URL must begin with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"
        )
    if scheme == "redis+sentinel" and not url.split("://", 1)[1].partition("/")[2].split("/")[0]:
        raise ConfigError("REDIS_URL for Sentinel must name the master: redis+sentinel://h1:26379,h2:26379/mymaster/0")


def _check_embedded_stays_here(values: dict[str, Any]) -> None:
    """The embedded parts are for one machine: everybody may log in as anybody in the sandbox."""
    if not values["KAKAOAUTH_EMBEDDED"]:
        if values.get("DEBUG"):
            raise ConfigError("FLASK_DEBUG is on: switch it off, it would show secrets to visitors")
        return
    cure = {"redis": "REDIS_URL", "kakao": "KAKAO_CLIENT_ID"}
    missing = " and ".join(sorted(cure[part] for part in values["KAKAOAUTH_EMBEDDED"]))
    for name in ("PUBLIC_URL", *REDIRECT_URIS):
        if values[name] and not is_loopback(urlsplit(values[name]).hostname):
            raise ConfigError(f"{name} is a public address but {missing} is not set: set {missing}")
    if values["TRUSTED_PROXIES"]:
        raise ConfigError(f"TRUSTED_PROXIES is set but {missing} is not: set {missing}")
