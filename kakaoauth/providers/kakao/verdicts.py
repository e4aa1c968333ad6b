"""Read what Kakao answers to the questions of `probe`.

What Kakao answers to `prompt=none` in a browser without a Kakao session is documented in part only, so an answer is
read conservatively:

- back to the redirect address with `login_required`, `consent_required` or `interaction_required`: fine;
- to the login page on accounts.kakao.com: fine. Kakao may look at the consent items after the login only, so there
  it means "no objection so far";
- a page, of whatever status, that names exactly one KOE code: that code. Its status is not documented;
- 429, 5xx, silence, or HTML where JSON belongs: Kakao is down, which says nothing about the settings;
- anything else: cannot be told. Never a wrong key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from requests import Response

from kakaoauth.errors import InteractionRequired, LoginCancelled, Misconfigured, ProviderUnavailable, one_line
from kakaoauth.providers.http import read_json
from kakaoauth.providers.kakao import errors as kakao_errors
from kakaoauth.providers.oidc import usable_keys

ACCOUNTS = "accounts.kakao.com"

_KOE = re.compile(r"(?<![A-Za-z0-9])KOE[0-9]{3}(?![0-9])")
_TAG = re.compile(r"<[^>]*>")


class Verdict(Enum):
    FINE = "fine"
    REFUSED = "refused"
    DOWN = "down"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Reply:
    """What an answer means.

    `code` is a KOE code, Kakao's negative number, an OAuth error name, or one of `issuer`, `keys`, `ip`. `reason` is
    for people and holds nothing secret. `items`: the consent items that a page names.
    """

    verdict: Verdict
    code: str = ""
    reason: str = ""
    items: tuple[str, ...] = ()


def is_trouble(status: int) -> bool:
    """Whether a status tells of the provider's own trouble: 429 or 5xx."""
    return status == 429 or status >= 500


def read_discovery(response: Response, issuer: str) -> Reply:
    """Read the discovery document. :raises ProviderUnavailable: not JSON."""
    if response.status_code >= 400:
        return Reply(Verdict.UNCLEAR, reason=f"status {response.status_code}")
    theirs = read_json(response).get("issuer")
    if theirs == issuer:
        return Reply(Verdict.FINE)
    return Reply(Verdict.REFUSED, "issuer", one_line(str(theirs), 100))


def read_keys(response: Response) -> Reply:
    """Its reason is the number of keys that can be used."""
    if response.status_code >= 400:
        return Reply(Verdict.UNCLEAR, reason=f"status {response.status_code}")
    usable = usable_keys(read_json(response))
    return Reply(Verdict.FINE, reason=str(len(usable))) if usable else Reply(Verdict.REFUSED, "keys")


def read_token(response: Response) -> Reply:
    """Read the token endpoint's answer to a code that does not exist: KOE320 is fine."""
    body = read_json(response)
    reply = _judge(response.status_code, body)
    if reply.code == "KOE320" or (not body.get("error_code") and body.get("error") == "invalid_grant"):
        return Reply(Verdict.FINE, "KOE320")
    return reply


def read_ids(response: Response) -> Reply:
    """Read the answer to the admin key's call."""
    body = read_json(response)
    if response.status_code == 200 and isinstance(body.get("elements"), list):
        return Reply(Verdict.FINE)
    reply = _judge(response.status_code, body)
    if reply.code != "-401" or is_trouble(response.status_code):
        return reply
    # One number for two mistakes; only the text tells which, and it decides nothing but the advice.
    by_address = "ip mismatched" in str(body.get("msg", "")).lower()
    return Reply(Verdict.REFUSED, "ip" if by_address else "-401")


def _judge(status: int, body: Mapping[str, Any]) -> Reply:
    """A JSON answer that is no success."""
    error = kakao_errors.from_answer(status, body)
    name = body.get("error")
    code = error.provider_code or (name if isinstance(name, str) and name in kakao_errors.OAUTH else "")
    if isinstance(error, Misconfigured):
        return Reply(Verdict.REFUSED, code)
    if isinstance(error, ProviderUnavailable) and (code or is_trouble(status)):
        known = is_trouble(status) or _is_temporary(code)
        return Reply(Verdict.DOWN if known else Verdict.UNCLEAR, code, f"status {status}")
    return Reply(Verdict.UNCLEAR, code, f"status {status}")


def _is_temporary(code: str) -> bool:
    number = int(code) if re.fullmatch(r"-[0-9]+", code) else 0
    fault = kakao_errors.KOE.get(code) or kakao_errors.KAPI.get(number) or kakao_errors.OAUTH.get(code)
    return fault is not None and fault.error is ProviderUnavailable


def read_page(response: Response, back: str, items: tuple[str, ...]) -> Reply:
    """Read an answer made for browsers. :param back: the address it should return to."""
    status, location = response.status_code, response.headers.get("Location", "")
    if 300 <= status < 400 and location:
        return _read_redirect(response.url, location, back, items)
    if "json" in response.headers.get("Content-Type", "").lower():
        return _judge(status, read_json(response))
    return _read_codes(response.content.decode("utf-8", "replace"), status, items)


def _read_redirect(url: str, location: str, back: str, items: tuple[str, ...]) -> Reply:
    try:
        target = urljoin(url, location)
        there, home = urlsplit(target), urlsplit(back)
    except ValueError:
        return Reply(Verdict.UNCLEAR, reason="an odd redirect")
    if (there.scheme, there.netloc, there.path) == (home.scheme, home.netloc, home.path):
        return _read_return(parse_qs(there.query).get("error", [""])[0])
    if _KOE.search(target):
        return _read_codes(target, 302, items)
    if there.hostname == ACCOUNTS and "error" not in there.path:
        return Reply(Verdict.FINE)
    return Reply(Verdict.UNCLEAR, reason=f"a redirect to {one_line(there.hostname or '-', 100)}")


def _read_return(error: str) -> Reply:
    """Back at our address, which is therefore registered."""
    if not error:
        return Reply(Verdict.FINE)
    meaning = kakao_errors.refusal(error, "")
    if isinstance(meaning, InteractionRequired | LoginCancelled):
        return Reply(Verdict.FINE)
    if isinstance(meaning, ProviderUnavailable):
        return Reply(Verdict.DOWN, error)
    if isinstance(meaning, Misconfigured):
        return Reply(Verdict.REFUSED, error)
    return Reply(Verdict.UNCLEAR, reason=f"error {one_line(error, 40)}")


def _read_codes(text: str, status: int, items: tuple[str, ...]) -> Reply:
    codes = set(_KOE.findall(text))
    if len(codes) != 1:
        # A page that names many is a list of them, or a script.
        return Reply(Verdict.UNCLEAR, reason=f"status {status}")
    (code,) = codes
    if _is_temporary(code):
        return Reply(Verdict.DOWN, code, f"status {status}")
    fault = kakao_errors.KOE.get(code)
    if fault is None or fault.error is not Misconfigured:
        return Reply(Verdict.UNCLEAR, code, code)
    words = set(re.findall(r"[a-z_]+", unescape(_TAG.sub(" ", text))))
    return Reply(Verdict.REFUSED, code, items=tuple(item for item in items if item in words))
