"""Settings of Flask, its extensions and SQLAlchemy, derived from ours."""

from typing import Any
from urllib.parse import urlsplit

from kakaoauth.config.checks import check_database

#: Bytes of a request's body. The largest that we take is a form with a nickname and a picture's address.
MAX_BODY = 1024 * 1024


def derive(values: dict[str, Any]) -> None:
    """Normalise the site's settings in place, and add the libraries'. :raises ConfigError: an unusable DATABASE_URL."""
    derive_ours(values)
    check_database(database_url(values["DATABASE_URL"]))
    values["SQLALCHEMY_DATABASE_URI"] = database_url(values["DATABASE_URL"])
    values["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(values["SQLALCHEMY_DATABASE_URI"])
    values["PUBLIC_URL"] = values["PUBLIC_URL"].rstrip("/")
    values["MAX_CONTENT_LENGTH"] = MAX_BODY
    values["MAX_FORM_MEMORY_SIZE"] = 256 * 1024
    values["PREFERRED_URL_SCHEME"] = urlsplit(values["PUBLIC_URL"]).scheme or "http"


def derive_ours(values: dict[str, Any]) -> None:
    """Normalise the extension's settings in place, and add what Authlib reads of them."""
    for name in ("KAKAO_KAUTH_URL", "KAKAO_KAPI_URL", "FACEBOOK_DIALOG_URL", "FACEBOOK_GRAPH_URL"):
        values[name] = values[name].rstrip("/")
    values["KAKAOAUTH_FRONTEND_ORIGINS"] = tuple(_origin(address) for address in values["KAKAOAUTH_FRONTEND_ORIGINS"])
    kauth = values["KAKAO_KAUTH_URL"]
    values["KAKAO_AUTHORIZE_URL"] = f"{kauth}/oauth/authorize"
    values["KAKAO_ACCESS_TOKEN_URL"] = f"{kauth}/oauth/token"
    values["KAKAO_API_BASE_URL"] = f"{values['KAKAO_KAPI_URL']}/"


def _origin(address: str) -> str:
    """As browsers write it in their Origin header: small letters, no final slash, no port that goes without saying."""
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port not in (None, {"http": 80, "https": 443}[parts.scheme]) else ""
    return f"{parts.scheme}://{host}{port}"


def database_url(url: str) -> str:
    """The same with a driver named, where PostgreSQL's own way of writing it names none."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def engine_options(url: str) -> dict[str, Any]:
    """A lost database is to be noticed within a page's 3 seconds, connecting and waiting in the pool included."""
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": 2.0}}
    if url.startswith("postgresql+psycopg"):
        return {
            "pool_pre_ping": True,
            "pool_timeout": 2,
            "pool_size": 16,  # a worker's threads
            "max_overflow": 16,
            "pool_recycle": 1800,
            "connect_args": {
                "connect_timeout": 2,
                # To compile a statement, or to share it among processes, takes longer than any of ours.
                "options": "-c statement_timeout=2500 -c lock_timeout=2000 -c timezone=UTC"
                " -c jit=off -c max_parallel_workers_per_gather=0",
                "tcp_user_timeout": 2500,
                "keepalives_idle": 30,
            },
        }
    return {"pool_pre_ping": True, "pool_timeout": 2}
