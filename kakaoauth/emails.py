"""The only file that knows when two e-mail addresses are the same."""

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

# Whether mail can reach a name like `.test` or `.local` is for whoever verified the address, not for its spelling.
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
