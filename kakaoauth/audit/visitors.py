"""Browser and address of a visitor: shortened for keeping, and in words. Nothing is decided by either of them: the
visitor can choose both."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

from flask import request
from ua_parser import Domain
from ua_parser.basic import Resolver
from ua_parser_builtins.lazy import MATCHERS

from kakaoauth.translation import language, lazy_gettext

_ = lazy_gettext

#: Characters of a User-Agent. An app that shows pages adds its name to its browser's, which has about 170.
AGENT_LENGTH = 200
#: Stands for what is no address.
UNKNOWN = "unknown"
#: More than any browser is called.
NAME_LENGTH = 40

#: Apps of this country that show pages themselves, by what they add; the library knows some of them on some systems.
IN_APP = {
    "KAKAOTALK": _("KakaoTalk in-app"),
    "NAVER(inapp": _("NAVER in-app"),
    "DaumApps": _("Daum in-app"),
}
#: The library's names that people do not use. A browser has the same name on a phone and on a computer.
BROWSERS: dict[str, Any] = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": _("In-app browser"),
    "Edge Mobile": "Edge",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "HeadlessChrome": "Chrome",
    "IE": "Internet Explorer",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": _("In-app browser"),
    "Samsung Internet": _("Samsung Internet"),
    "Whale": _("NAVER Whale"),
}
SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}

#: The pure Python one, whatever faster ones are installed beside it: all machines say the same. It takes a
#: millisecond, and at most some 30 for the worst 200 characters.
RESOLVER = Resolver(MATCHERS)  # type: ignore[arg-type]  # lists of a kind are no lists of the family


class Visitor(NamedTuple):
    """What is kept of where a login comes from: User-Agent and address, both shortened."""

    agent: str = ""
    address: str = ""


#: Where nobody has said.
NOBODY = Visitor()


def visitor_of(agent: str, address: str) -> Visitor:
    """:param agent: the User-Agent header. :param address: the peer's."""
    is_plain = agent.isascii() and agent.isprintable()
    plain = agent if is_plain else "".join(char for char in agent if char.isascii() and char.isprintable())
    return Visitor(plain[:AGENT_LENGTH].strip(), shortened(address))


@lru_cache(maxsize=4096)
def plain_address(text: str) -> str:
    """What a proxy says of where a request comes from, as an address: without port, zone, brackets and quotes.

    "unknown" for anything else: all senders of nonsense share that one name, and with it one rate limit.
    """
    text = text.strip(" \t\"'")
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
    else:
        port = ""
    if port and not (port.isascii() and port.isdecimal()):
        return UNKNOWN
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    return str(getattr(found, "ipv4_mapped", None) or found)


@lru_cache(maxsize=4096)
def shortened(address: str) -> str:
    """The network alone, an IPv4 /24 or an IPv6 /48: it tells the country, not the household.

    Empty for what is no address, such as the peer of a unix socket.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is None:
            return f"{IPv6Address(int(found) >> 80 << 80)}x"
        found = found.ipv4_mapped  # what a socket for both families calls an IPv4 peer
    return str(found).rpartition(".")[0] + ".x"


def words(agent: str) -> str:
    """Browser and system, such as `Chrome · Windows`; empty if neither is known."""
    return _words(language(), agent)


@lru_cache(maxsize=1000)
def _words(_language: str, agent: str) -> str:
    found = RESOLVER(agent, Domain.USER_AGENT | Domain.OS)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    app = next((name for mark, name in IN_APP.items() if mark in agent), None)
    parts = (app or BROWSERS.get(browser, browser), SYSTEMS.get(system, system))
    return " · ".join(str(part)[:NAME_LENGTH] for part in parts if part)


def visitor() -> Visitor:
    """Return the visitor of the current request."""
    return visitor_of(request.user_agent.string, request.remote_addr or "")
