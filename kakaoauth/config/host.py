"""Settings in a host's app: what is the extension's own in `app.config`, read, checked and completed there."""

import hmac
import os
from base64 import urlsafe_b64encode
from collections.abc import MutableMapping, Sequence
from typing import Any

from flask import Flask

from kakaoauth.config import brand, providers
from kakaoauth.config.checks import (
    ConfigError,
    check,
    check_database,
    check_facebook_is_whole,
    check_kakao_is_whole,
)
from kakaoauth.config.embedded import embed
from kakaoauth.config.libraries import database_url, derive_ours
from kakaoauth.config.parsing import is_blank, parse
from kakaoauth.config.settings import (
    NAMES,
    RENAMED,
    SITE_NAMES,
    TYPES,
    Settings,
    refuse_misspelt,
    refuse_old_names,
)

#: Set by `kakaoauth dev`: the folder of the embedded Redis and SQLite. Without it a host embeds nothing, since the
#: sandbox lets everybody in as anybody.
DEV_FOLDER = "KAKAOAUTH_DEV_FOLDER"
#: Set by it, too: where the app and the sandbox are.
DEV_PORTS = ("PORT", "SANDBOX_PORT")


def complete(app: Flask, *, has_database: bool, is_separate: bool = False) -> None:
    """Read our settings from `app.config`, and put them back as their types, with the defaults.

    A name that belongs to the reference site's process is left as the host has it.

    :param has_database: the host brings its own, so DATABASE_URL is not needed. :param is_separate: ours is beside the
        host's, so it is not at SQLALCHEMY_DATABASE_URI.
    :raises ConfigError: one line that names the setting and the cure.
    """
    config = app.config
    if "KAKAOAUTH_EMBEDDED" in config:  # the site, which has read and checked its settings
        return
    # A short name of before may be a setting of the host's own; one with Kakao's name is ours.
    refuse_old_names([name for name in RENAMED if name.startswith("KAKAO_") and name in config])
    refuse_misspelt(config)
    values: dict[str, Any] = {name: getattr(Settings, name) for name in NAMES}
    for name in NAMES:
        if name in SITE_NAMES:
            config.setdefault(name, values[name])
        elif config.get(name) is not None and not is_blank(config[name]):
            values[name] = parse(name, _as_text(name, config[name]))
    values["INSTANCE_PATH"] = config.get("INSTANCE_PATH") or app.instance_path
    _require(values, config, has_database=has_database, is_separate=is_separate)
    check_facebook_is_whole(values, Settings)
    providers.embed(values)
    providers.check(values, Settings)
    check(values, TYPES)
    brand.check(values, app.static_folder)
    if not has_database:
        check_database(database_url(values["DATABASE_URL"]))
    derive_ours(values)
    providers.normalise(values)
    if config.get("KAKAOAUTH_REDIS_PREFIX") is None:
        values["KAKAOAUTH_REDIS_PREFIX"] = redis_prefix(values["SECRET_KEY"], config.get("SECRET_KEY_FALLBACKS") or ())
    config.update({name: value for name, value in values.items() if name not in SITE_NAMES})
    config["INSTANCE_PATH"] = values["INSTANCE_PATH"]


def redis_prefix(secret: str, former: Sequence[str]) -> str:
    """Return what the app's keys in Redis begin with, so that apps of different secrets can share one Redis.

    A session of one must not count at the other, where the same number is another user. The oldest secret decides:
    sessions outlive a change of SECRET_KEY as long as the old one is in SECRET_KEY_FALLBACKS. It is short, because each
    session has it twice: 48 bits, in 9 characters.
    """
    oldest = former[-1] if former else secret
    made = hmac.digest(oldest.encode(), b"kakaoauth keys in Redis", "sha256")
    return f"{urlsafe_b64encode(made[:6]).decode()}:"


def _as_text(name: str, value: Any) -> Any:
    """`Config.from_prefixed_env` reads a client id of digits as a number."""
    return str(value) if TYPES[name] is str and type(value) is int else value


def _embed_in(folder: str, values: dict[str, Any], config: MutableMapping[str, Any]) -> None:
    """Use the parts of `kakaoauth dev`, at the ports that it has chosen."""
    values["INSTANCE_PATH"] = folder
    for name in DEV_PORTS:
        values[name] = config[name] = parse(name, os.environ.get(name) or str(values[name]))
    check_kakao_is_whole(values, Settings)
    origins = values["KAKAOAUTH_FRONTEND_ORIGINS"]
    embed(values)
    values["KAKAOAUTH_FRONTEND_ORIGINS"] = origins  # the example of a front end goes with the reference site


def _require(
    values: dict[str, Any], config: MutableMapping[str, Any], *, has_database: bool, is_separate: bool
) -> None:
    """Embed what is missing under `kakaoauth dev`; elsewhere say so."""
    folder = os.environ.get(DEV_FOLDER)
    if not values["DATABASE_URL"] and not is_separate:
        values["DATABASE_URL"] = config.get("SQLALCHEMY_DATABASE_URI") or ""
    if folder:
        _embed_in(folder, values, config)
        return
    values["KAKAOAUTH_EMBEDDED"] = frozenset()
    for name, cure in (
        ("REDIS_URL", "set app.config['REDIS_URL'], like redis://localhost:6379/0"),
        ("KAKAO_CLIENT_ID", "set app.config['KAKAO_CLIENT_ID'] to the app's REST API key"),
        *(() if has_database else (("DATABASE_URL", "set app.config['DATABASE_URL'], or give KakaoAuth your db"),)),
    ):
        if not values[name]:
            raise ConfigError(f"{name} is missing: {cure}; `kakaoauth dev MODULE:APP` needs none of them")
