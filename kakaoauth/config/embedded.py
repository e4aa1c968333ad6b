"""What an incomplete configuration embeds: a private Redis and the sandbox, both for this machine only."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kakaoauth.config.checks import ConfigError

#: The sandbox's app. Public on purpose: it opens nothing but the imitation on one's own machine, and the site refuses
#: it anywhere else (`embed`).
SANDBOX_APP_ID = 100001
SANDBOX_CLIENT_ID = "5a9db0c5a9db0c5a9db0c5a9db0c0001"
SANDBOX_CLIENT_SECRET = "SandboxSecretNotForKakao00000001"  # noqa: S105
SANDBOX_ADMIN_KEY = "5a9db0c5a9db0c5a9db0c5a9db0cad31"
SANDBOX_FACEBOOK_CLIENT_ID = "100000000000001"
SANDBOX_FACEBOOK_CLIENT_SECRET = "5a9db0fb5a9db0fb5a9db0fb5a9db0fb"  # noqa: S105


def embedded_redis_socket(instance: Path) -> Path:
    """Where the embedded Redis listens. A socket's path holds about 100 bytes, so deep folders get a short alias."""
    socket = instance / "redis" / "redis.sock"
    if len(os.fsencode(socket)) <= 100:
        return socket
    digest = sha256(os.fsencode(instance)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"kakaoauth-{os.getuid()}-{digest}" / "redis.sock"


def embed(values: dict[str, Any]) -> None:
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
        if not values["KAKAOAUTH_FRONTEND_ORIGINS"]:
            values["KAKAOAUTH_FRONTEND_ORIGINS"] = (f"http://localhost:{values['FRONTEND_PORT']}",)
    elif values["KAKAO_CLIENT_ID"] == SANDBOX_CLIENT_ID:
        raise ConfigError(
            "KAKAO_CLIENT_ID is the sandbox's: set your app's REST API key, or remove it to use the sandbox"
        )
    values["KAKAOAUTH_EMBEDDED"] = frozenset(embedded)
    if not values["DATABASE_URL"]:
        values["DATABASE_URL"] = f"sqlite:///{quote(str(instance / 'kakaoauth.db'))}"
    if not values["SECRET_KEY"] and embedded:
        values["SECRET_KEY"] = secret_of_this_machine(instance)
    _embed_facebook(values)


def _embed_facebook(values: dict[str, Any]) -> None:
    """The sandbox's Facebook is asked for by its app id."""
    if values["FACEBOOK_CLIENT_ID"] != SANDBOX_FACEBOOK_CLIENT_ID:
        return
    if "kakao" not in values["KAKAOAUTH_EMBEDDED"]:
        raise ConfigError("FACEBOOK_CLIENT_ID is the sandbox's: set your app's id, or remove it")
    sandbox = values["KAKAO_KAUTH_URL"]
    values.update(
        FACEBOOK_CLIENT_SECRET=SANDBOX_FACEBOOK_CLIENT_SECRET, FACEBOOK_DIALOG_URL=sandbox, FACEBOOK_GRAPH_URL=sandbox
    )


def sandbox_origin(config: Mapping[str, Any]) -> str:
    """Return where the embedded sandbox is, which is on this machine; empty: another Kakao serves, as in production."""
    return config["KAKAO_KAPI_URL"] if "kakao" in config.get("KAKAOAUTH_EMBEDDED", ()) else ""


def secret_of_this_machine(instance: Path) -> str:
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
