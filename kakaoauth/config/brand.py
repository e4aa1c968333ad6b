"""The owner's settings of the site's look: name, logo, colour, links. What of them is refused at start."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kakaoauth.config import colours
from kakaoauth.config.checks import ConfigError, is_loopback

#: Characters of each: a title that phones and search engines still show whole, a sentence, and what a footer can hold.
LONGEST = {
    "KAKAOAUTH_SITE_NAME": 40,
    "KAKAOAUTH_SITE_DESCRIPTION": 200,
    "KAKAOAUTH_CONTACT": 200,
    "KAKAOAUTH_FOOTER": 1000,
}
FOOTER_LINES = 8
#: What can stand in an <img>, by the end of its name.
PICTURES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
PICTURES |= {".webp": "image/webp", ".gif": "image/gif"}
#: Bytes. A logo is loaded with every first visit.
LARGEST_PICTURE = 512 * 1024
#: Directives of a Content-Security-Policy that an owner may add sources to. The others keep strangers' pages out.
DIRECTIVES = ("script-src", "style-src", "font-src", "img-src", "connect-src", "frame-src", "media-src")
SOURCE = re.compile(r"https://[A-Za-z0-9*.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~/-]*)?|'self'|data:")


def check(values: dict[str, Any], static_folder: str | None = None) -> None:
    """Check the settings, and put the logo's file into `KAKAOAUTH_LOGO_FILE` (None: none, or on another site).

    :param static_folder: of the app. :raises ConfigError: one line that names the setting and the cure.
    """
    for name, most in LONGEST.items():
        if len(values[name]) > most:
            raise ConfigError(f"{name} has {len(values[name])} characters: use {most} or fewer")
    if len(footer_lines(values["KAKAOAUTH_FOOTER"])) > FOOTER_LINES:
        raise ConfigError(f"KAKAOAUTH_FOOTER has too many lines: use {FOOTER_LINES} or fewer")
    for name in ("KAKAOAUTH_TERMS_URL", "KAKAOAUTH_PRIVACY_URL", "KAKAOAUTH_HOME_URL"):
        _check_link(name, values[name])
    for name in ("KAKAOAUTH_STYLE_SHEETS", "KAKAOAUTH_SCRIPTS"):
        for address in values[name]:
            _check_link(name, address)
    _check_colour(values["KAKAOAUTH_ACCENT_COLOR"])
    read_policy(values["KAKAOAUTH_CSP"])
    values["KAKAOAUTH_LOGO_FILE"] = _logo_file(values["KAKAOAUTH_SITE_LOGO"], values["INSTANCE_PATH"], static_folder)


def footer_lines(text: str) -> list[str]:
    """Return the lines of KAKAOAUTH_FOOTER, without empty ones. A line break may be written as two characters."""
    return [line.strip() for line in text.replace("\\n", "\n").splitlines() if line.strip()]


def read_policy(text: str) -> dict[str, list[str]]:
    """Return KAKAOAUTH_CSP as sources by directive. :raises ConfigError: not to be used."""
    found: dict[str, list[str]] = {}
    for part in filter(None, (part.split() for part in text.split(";"))):
        name, sources = part[0].lower(), part[1:]
        if name not in DIRECTIVES:
            raise ConfigError(f"KAKAOAUTH_CSP cannot change {name!r:.30}: it may have {', '.join(DIRECTIVES)}")
        if not sources or not all(SOURCE.fullmatch(source) for source in sources):
            raise ConfigError(f"KAKAOAUTH_CSP: {name} needs addresses like https://cdn.example.kr")
        if name in ("script-src", "style-src") and "data:" in sources:
            raise ConfigError(f"KAKAOAUTH_CSP: {name} must not have data:, which lets strangers' code in")
        found.setdefault(name, []).extend(sources)
    return found


def _check_link(name: str, value: str) -> None:
    """An address with https, or a path of this site."""
    if not value or (value.startswith("/") and not value.startswith("//") and " " not in value):
        return
    try:
        parts = urlsplit(value)
        is_good = bool(parts.hostname) and not parts.username and " " not in value
    except ValueError:
        is_good = False
    if not is_good or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise ConfigError(f"{name} must be an address that begins with https://, or a path of this site like /privacy/")


def _check_colour(value: str) -> None:
    if not value:
        return
    try:
        colour = colours.read(value)
    except ValueError:
        raise ConfigError("KAKAOAUTH_ACCENT_COLOR must be a colour like #3182f6") from None
    try:
        colours.light(colour)
    except ValueError:
        raise ConfigError(
            f"KAKAOAUTH_ACCENT_COLOR {colour} is too pale to be seen on white: choose a darker one"
        ) from None


def _logo_file(value: str, instance: str, static_folder: str | None) -> str | None:
    if not value or value.startswith("https://"):
        if value:
            _check_link("KAKAOAUTH_SITE_LOGO", value)
        return None
    for folder in filter(None, (instance, static_folder)):
        file = (Path(folder) / value).resolve()
        with contextlib.suppress(OSError):  # a longer name than a file may have
            if file.is_file() and file.is_relative_to(Path(folder).resolve()):
                _check_picture(file)
                return str(file)
    raise ConfigError(
        f"KAKAOAUTH_SITE_LOGO: there is no such file in {instance}: put it there, or give an https:// address"
    )


def _check_picture(file: Path) -> None:
    if file.suffix.lower() not in PICTURES:
        raise ConfigError(f"KAKAOAUTH_SITE_LOGO must be a picture: {', '.join(PICTURES)}")
    if file.stat().st_size > LARGEST_PICTURE:
        raise ConfigError(f"KAKAOAUTH_SITE_LOGO is too large: {LARGEST_PICTURE // 1024} kB at most")


def sources_of(addresses: Sequence[str]) -> list[str]:
    """Return the origins of addresses on other sites, for a Content-Security-Policy."""
    parts = [urlsplit(address) for address in addresses if not address.startswith("/")]
    return list(dict.fromkeys(f"{one.scheme}://{one.netloc}" for one in parts))
