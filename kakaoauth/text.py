"""Clean and normalise text from outside: names, picture URLs, e-mail addresses."""

import re
import unicodedata
from urllib.parse import urlsplit

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

#: Longest text that is kept, in characters.
MAX_TEXT = 100
#: Longest picture address that is kept.
MAX_ADDRESS = 500
#: Characters that are read: cleaning costs time for each one.
_MAX_READ = 4000

#: Letters by Unicode category that are drawn as nothing: names made of them look empty.
_BLANKS = str.maketrans(dict.fromkeys("\u3164\uffa0\u2800", " "))
_ZWJ = "\u200d"
#: Printable ASCII without what ends an attribute, a CSS `url()` or a header.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&*+,;=%]+", re.IGNORECASE)


def clean_text(value: object, *, limit: int = MAX_TEXT) -> str | None:
    """Return one line of visible text in Unicode form C, at most `limit` characters; None if nothing is left.

    Control, bidi and zero-width characters and lone surrogates go; the joiner inside an emoji stays.
    """
    if not isinstance(value, str):
        return None
    text = " ".join(value[:_MAX_READ].translate(_BLANKS).split())
    text = "".join(char for place, char in enumerate(text) if _is_kept(text, place))
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return text[:limit].rstrip(f" {_ZWJ}") or None


def clean_image(value: object, upgradable: str | None = None, sandbox: str = "") -> str | None:
    """Return a picture's https address; None for anything a browser should not be sent to.

    :param upgradable: domain whose http addresses are known to work by https.
    :param sandbox: origin of the sandbox on this machine, whose pictures come by http; empty: there is none.
    """
    if not isinstance(value, str) or len(value) > MAX_ADDRESS or not _ADDRESS.fullmatch(value):
        return None
    if sandbox and value.startswith(f"{sandbox}/"):
        return value
    try:
        parts = urlsplit(value)
        host, secure = parts.hostname or "", parts.scheme == "https"
        odd = parts.username is not None or parts.port not in (None, 443 if secure else 80)
    except ValueError:
        return None
    if odd or "." not in host:
        return None
    if secure:
        return value
    if upgradable is not None and (host == upgradable or host.endswith(f".{upgradable}")):
        return parts._replace(scheme="https", netloc=host).geturl()
    return None


def _is_kept(text: str, place: int) -> bool:
    char = text[place]
    if char == _ZWJ:
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        return _is_emoji(before) and _is_emoji(after)
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs")


def _is_emoji(char: str) -> bool:
    """Symbols, skin tones and the emoji variation selector."""
    return char == "\ufe0f" or (char != "" and unicodedata.category(char) in ("So", "Sk"))


# `.test`, `.local` and the like are accepted: the provider has verified the address.
SPECIAL_USE_DOMAIN_NAMES.clear()

#: What most addresses look like: words, one dot or hyphen at a time. The library would only say yes, a hundred times as
#: slowly, which counts where a file has a million of them.
PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,}")
#: So that no part of it can be too long (RFC 5321, section 4.5.3.1).
PLAIN_LENGTH = 63


def normal_form(address: str) -> str | None:
    """Return the form addresses are compared in, None if it is no address.

    Case, Unicode form, surrounding blanks and a domain's trailing dot make no difference. A plus-tag does: whether
    `a+b@` and `a@` are one mailbox is known to the receiving host alone (RFC 5321, section 2.3.11), and taking two
    people for one hands over an account.
    """
    text = address.strip().removesuffix(".")
    if len(text) <= PLAIN_LENGTH and PLAIN.fullmatch(text):
        return text.lower()
    try:
        parsed = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    if "." not in parsed.domain or "**" in parsed.local_part:
        return None
    # Not casefold(), which makes "ss" of "ß": weiß.de and weiss.de have different owners.
    return parsed.normalized.lower()


def comparable(text: str) -> str:
    """The form in which texts are searched and sorted: one line, whatever the case and however Hangul was typed."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", line).casefold())
