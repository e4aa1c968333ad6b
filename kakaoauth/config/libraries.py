"""Settings of Flask, its extensions and SQLAlchemy, derived from ours."""

from typing import Any
from urllib.parse import urlsplit

from kakaoauth.config.checks import check_database


def derive(values: dict[str, Any]) -> None:
    """Normalise our settings in place, and add the libraries'. :raises ConfigError: an unusable DATABASE_URL."""
    for name in ("KAKAO_KAUTH_URL", "KAKAO_KAPI_URL", "FACEBOOK_DIALOG_URL", "FACEBOOK_GRAPH_URL", "PUBLIC_URL"):
        values[name] = values[name].rstrip("/")
    values["KAKAOAUTH_FRONTEND_ORIGINS"] = tuple(_origin(address) for address in values["KAKAOAUTH_FRONTEND_ORIGINS"])
    url = database_url(values["DATABASE_URL"])
    check_database(url)
    values["SQLALCHEMY_DATABASE_URI"] = url
    values["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    kauth = values["KAKAO_KAUTH_URL"]
    values["KAKAO_AUTHORIZE_URL"] = f"{kauth}/oauth/authorize"
    values["KAKAO_ACCESS_TOKEN_URL"] = f"{kauth}/oauth/token"
    values["KAKAO_API_BASE_URL"] = f"{values['KAKAO_KAPI_URL']}/"
    values["MAX_CONTENT_LENGTH"] = 1024 * 1024
    values["MAX_FORM_MEMORY_SIZE"] = 256 * 1024
    values["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    values["WTF_CSRF_TIME_LIMIT"] = None  # The token lives as long as the session that holds it.
    values["WTF_CSRF_SSL_STRICT"] = False  # guards.form checks Origin instead; we send no Referer.
    values["WTF_CSRF_CHECK_DEFAULT"] = False  # guards.form checks it on pages; the API takes no session cookie.
    values["BABEL_DEFAULT_LOCALE"] = "ko"
    values["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    values["PREFERRED_URL_SCHEME"] = urlsplit(values["PUBLIC_URL"]).scheme or "http"


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
