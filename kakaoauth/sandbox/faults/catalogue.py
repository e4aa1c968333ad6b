"""Every fault by name: what kind it is and at which addresses it can happen."""

from dataclasses import dataclass

from kakaoauth.sandbox.endpoints import (
    ACCOUNT_DISCOVERY,
    ACCOUNT_JSON,
    ACCOUNT_PAGES,
    ACCOUNT_REVOKE,
    ACCOUNT_TOKENS,
    ALL,
    DIALOG,
    GRAPH,
    KAPI,
    KAUTH,
    NAVER_API,
    PAGES,
    TOKENS,
)
from kakaoauth.sandbox.faults.account_codes import ACCOUNT_BACK, NAVER_FAULTS, OAUTH_FAULTS
from kakaoauth.sandbox.faults.account_codes import ACCOUNT_PAGES as PAGE_FAULTS
from kakaoauth.sandbox.faults.codes import (
    CODE_ONLY,
    KAPI_CODES,
    KAUTH_CODES,
    PAGE_CODES,
    REDIRECT_ERRORS,
    REFRESH_ONLY,
    TOKENINFO_CODES,
)
from kakaoauth.sandbox.faults.facebook_codes import DIALOG_FAULTS, GRAPH_FAULTS

JSON = KAUTH | KAPI | GRAPH | ACCOUNT_JSON

GROUPS = (
    "koe",
    "kapi",
    "back",
    "graph",
    "dialog",
    "oauth",
    "naver",
    "account",
    "page",
    "http",
    "body",
    "line",
    "content",
    "id_token",
)

HTTP = ("http_429", "http_500", "http_502", "http_503", "redirect_302", "redirect_307")
# The real answer is not computed: the code stays unspent
INSTEAD = ("empty", "html", "huge_body", "endless_body", "gzip_bomb", "deep_json", "json_list", "broken_utf8")
# The real answer is computed, then changed
CHANGED = ("truncated", "wrong_types", "wrong_content_type", "omit_fields")
LINE = ("delay", "drip", "cut_before_headers", "cut_after_headers", "cut_in_body")
OTHER_ID = frozenset(
    {
        *("user_me", "access_token_info", "userinfo", "logout", "unlink", "graph_user", "graph_debug_token"),
        *("naver_me", "google_userinfo", "google_tokeninfo"),
    }
)
ID_TOKEN = tuple(
    f"id_token_{flaw}"
    for flaw in (
        *("missing", "expired", "iat_future", "wrong_nonce", "no_nonce", "other_subject", "wrong_audience"),
        *("wrong_issuer", "wrong_typ", "bad_signature", "alg_none", "hs256", "unknown_key"),
    )
)


@dataclass(frozen=True)
class Kind:
    name: str
    group: str
    endpoints: frozenset[str]


def is_kapi_code(name: str) -> bool:
    """Whether the fault is one of kapi's negative numbers."""
    return name.lstrip("-").isdecimal()


def _kinds() -> list[Kind]:
    codes = {code: _endpoints_of(code) for code in sorted({*PAGE_CODES, *KAUTH_CODES})}
    return [
        *(Kind(code, "koe", endpoints) for code, endpoints in codes.items()),
        *(Kind(str(code), "kapi", KAPI) for code in KAPI_CODES),
        *(Kind(f"back_{error}", "back", frozenset({"authorize"})) for error in REDIRECT_ERRORS),
        *(Kind(name, "graph", GRAPH) for name in GRAPH_FAULTS),
        *(Kind(name, "dialog", DIALOG) for name in DIALOG_FAULTS),
        *(Kind(name, "oauth", ACCOUNT_TOKENS | ACCOUNT_REVOKE) for name in OAUTH_FAULTS),
        *(Kind(name, "naver", NAVER_API) for name in NAVER_FAULTS),
        *(Kind(name, "account", ACCOUNT_PAGES) for name in ACCOUNT_BACK),
        *(Kind(name, "page", ACCOUNT_PAGES) for name in PAGE_FAULTS),
        *(Kind(name, "http", ALL) for name in HTTP),
        *(Kind(name, "body", ALL) for name in INSTEAD),
        *(Kind(name, "body", JSON) for name in CHANGED),
        *(Kind(name, "line", ALL) for name in LINE),
        Kind("other_id", "content", OTHER_ID),
        Kind("other_app", "content", frozenset({"access_token_info", "graph_debug_token", "google_tokeninfo"})),
        Kind("other_issuer", "content", ACCOUNT_DISCOVERY | {"discovery"}),
        *(Kind(name, "id_token", TOKENS | ACCOUNT_TOKENS) for name in ID_TOKEN),
    ]


def _endpoints_of(code: str) -> frozenset[str]:
    pages = PAGES if code in PAGE_CODES else frozenset()
    if code not in KAUTH_CODES:
        return pages
    if code in TOKENINFO_CODES:
        return frozenset({"tokeninfo"})
    if code in REFRESH_ONLY:
        return frozenset({"refresh"})
    return pages | (frozenset({"token"}) if code in CODE_ONLY else TOKENS)


FAULTS: dict[str, Kind] = {kind.name: kind for kind in _kinds()}
