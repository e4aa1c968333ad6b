"""Settings of the reference site: where they come from.

Precedence, highest first: the process environment, `.env` in the project's root, `instance/config.py`, the defaults of
`settings.Settings`. What is not given is *embedded*. `load` raises `ConfigError`, whose text is one line naming the
setting and the cure.
"""

import os
from collections.abc import Mapping
from typing import Any

from dotenv import dotenv_values
from flask import Config

from kakaoauth.config import brand, providers
from kakaoauth.config.checks import ConfigError, check, check_facebook_is_whole, check_kakao_is_whole
from kakaoauth.config.embedded import embed
from kakaoauth.config.libraries import derive
from kakaoauth.config.parsing import is_blank, parse
from kakaoauth.config.settings import NAMES, RENAMED, ROOT, TYPES, Settings, refuse_misspelt, refuse_old_names

__all__ = ["ConfigError", "Settings", "is_loopback", "load"]


def load(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return Flask's configuration.

    With `overrides` (tests) neither the environment nor a file is read.

    :raises ConfigError: half a configuration, or a value that cannot be meant.
    """
    given = _collect() if overrides is None else dict(overrides)
    values = {name: getattr(Settings, name) for name in NAMES}
    refuse_old_names(given)
    refuse_misspelt(given)
    for name, raw in given.items():
        if name in TYPES and not is_blank(raw):
            values[name] = parse(name, raw)
        elif name not in TYPES:
            values[name] = raw
    check_kakao_is_whole(values, Settings)
    embed(values)
    check_facebook_is_whole(values, Settings)
    providers.embed(values)
    providers.check(values, Settings)
    check(values, TYPES)
    brand.check(values)
    derive(values)
    providers.normalise(values)
    return values


def _collect() -> dict[str, Any]:
    """The settings as given, before they are read as types."""
    dotenv = _read_dotenv()
    places = [source.get("INSTANCE_PATH", "").strip() for source in (os.environ, dotenv)]
    instance = next(filter(None, places), Settings.INSTANCE_PATH)
    from_file = Config(instance)
    try:
        from_file.from_pyfile("config.py", silent=True)
    except Exception as error:
        raise ConfigError(
            f"instance/config.py cannot be read ({type(error).__name__}): correct it or remove it"
        ) from None
    merged: dict[str, Any] = dict(from_file)
    for source in (dotenv, os.environ):
        refuse_misspelt(source)
        merged.update({name: source[name] for name in (*NAMES, *RENAMED) if not is_blank(source.get(name, ""))})
    if os.environ.get("FLASK_DEBUG"):
        merged["DEBUG"] = os.environ["FLASK_DEBUG"].strip().lower() not in ("0", "false", "no", "")
    return merged


def _read_dotenv() -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f".env cannot be read ({type(error).__name__}): store it as UTF-8 text, or remove it"
        ) from None
