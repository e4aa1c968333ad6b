"""How a given value of a setting is read."""

import math
from typing import Any

from kakaoauth.config import terms
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.settings import TYPES

#: A key's file has several lines, and a footer.
SEVERAL_LINES = ("APPLE_PRIVATE_KEY", "KAKAOAUTH_FOOTER")


def is_blank(raw: Any) -> bool:
    """Whether a value counts as not given."""
    return isinstance(raw, str) and not raw.strip()


def parse(name: str, raw: Any) -> Any:
    """Return a given value as the setting's type.

    :param raw: text from the environment, or what `instance/config.py` or a host's `app.config` holds.
    :raises ConfigError: it cannot be read so.
    """
    kind = TYPES[name]
    if name == terms.NAME:
        return terms.read(raw)
    if not isinstance(raw, str):
        return _typed(name, raw)
    text = raw.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ConfigError(f"{name} is wrapped in quotation marks: remove them")
    plain = text.replace("\n", "") if name in SEVERAL_LINES else text
    if any(ord(char) < 32 or ord(char) == 127 for char in plain):
        raise ConfigError(f"{name} contains a line break or control character: remove it")
    if not _is_encodable(text):  # bytes of another encoding in the environment
        raise ConfigError(f"{name} is not UTF-8 text: type it anew")
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


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
