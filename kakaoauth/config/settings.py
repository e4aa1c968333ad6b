"""Every setting with its type, its default and its name of before."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import get_type_hints

from kakaoauth.config import terms
from kakaoauth.config.checks import ConfigError

_TREE = Path(__file__).resolve().parents[2]
#: Of the checkout; where the package is installed, the folder that it is used in.
ROOT = _TREE if (_TREE / "wsgi.py").exists() else Path.cwd()


class Settings:
    """Every setting with its default. The type says how text from the environment is read."""

    #: Flask's secret, 32 characters or more. Made once into `instance/` while anything is embedded.
    SECRET_KEY: str = ""
    #: Former ones, comma separated: by them suspended people are known again whose accounts were erased.
    SECRET_KEY_FALLBACKS: tuple[str, ...] = ()
    #: Any SQLAlchemy URL; `postgres://` and `postgresql://` mean psycopg 3.
    DATABASE_URL: str = ""
    #: `redis://`, `rediss://`, `unix://`, `redis+sentinel://host,host/name/db`, `redis+cluster://host,host`.
    REDIS_URL: str = ""

    #: REST API key. Without it the site uses the sandbox.
    KAKAO_CLIENT_ID: str = ""
    #: Sent with every token call when set. Kakao switches it on for new keys.
    KAKAO_CLIENT_SECRET: str = ""
    #: Primary admin key: webhooks, and unlink or logout of a user who holds no token.
    KAKAO_ADMIN_KEY: str = ""
    #: Numeric app id: access tokens of other apps are refused by it.
    KAKAO_APP_ID: int = 0
    #: Used byte for byte when set; otherwise the callback's absolute address.
    KAKAO_REDIRECT_URI: str = ""
    #: Consent items to ask for, e.g. `openid,account_email`; empty lets the console decide.
    KAKAO_SCOPE: str = ""
    #: App keys besides KAKAO_CLIENT_ID, comma separated, that id_tokens may have been made for (native app key).
    KAKAO_ID_TOKEN_AUDIENCES: tuple[str, ...] = ()
    #: OAuth and OpenID Connect host; also the issuer of id_tokens.
    KAKAO_KAUTH_URL: str = "https://kauth.kakao.com"
    #: Resource API host.
    KAKAO_KAPI_URL: str = "https://kapi.kakao.com"

    #: App id. Without it there is no Facebook button; with the sandbox's, its imitation of Facebook answers.
    FACEBOOK_CLIENT_ID: str = ""
    #: App secret.
    FACEBOOK_CLIENT_SECRET: str = ""
    #: Used byte for byte when set; otherwise the callback's absolute address.
    FACEBOOK_REDIRECT_URI: str = ""
    #: Host of the login dialog.
    FACEBOOK_DIALOG_URL: str = "https://www.facebook.com"
    #: Graph API host.
    FACEBOOK_GRAPH_URL: str = "https://graph.facebook.com"
    #: Version of both. Facebook retires each about two years after it came.
    FACEBOOK_GRAPH_VERSION: str = "v24.0"

    #: Naver's client id: the button appears; with the sandbox's, its imitation of Naver answers.
    NAVER_CLIENT_ID: str = ""
    #: Naver's client secret.
    NAVER_CLIENT_SECRET: str = ""
    #: Used byte for byte when set; otherwise the callback's absolute address.
    NAVER_REDIRECT_URI: str = ""
    #: Login and token host.
    NAVER_NID_URL: str = "https://nid.naver.com"
    #: Profile host.
    NAVER_OPENAPI_URL: str = "https://openapi.naver.com"

    #: Google's OAuth client id: the button appears; with the sandbox's, its imitation of Google answers.
    GOOGLE_CLIENT_ID: str = ""
    #: Google's client secret.
    GOOGLE_CLIENT_SECRET: str = ""
    #: Used byte for byte when set; otherwise the callback's absolute address.
    GOOGLE_REDIRECT_URI: str = ""
    #: Client ids besides GOOGLE_CLIENT_ID that an app's token may have been made for.
    GOOGLE_ID_TOKEN_AUDIENCES: tuple[str, ...] = ()
    #: Login pages; also the issuer of id_tokens.
    GOOGLE_ACCOUNTS_URL: str = "https://accounts.google.com"
    #: Token, tokeninfo and revocation host.
    GOOGLE_OAUTH_URL: str = "https://oauth2.googleapis.com"
    #: Host of the signing keys.
    GOOGLE_APIS_URL: str = "https://www.googleapis.com"
    #: Host of userinfo.
    GOOGLE_OPENID_URL: str = "https://openidconnect.googleapis.com"

    #: Apple's Services ID: the button appears; with the sandbox's, its imitation of Apple answers.
    APPLE_CLIENT_ID: str = ""
    #: Apple's team id, 10 characters.
    APPLE_TEAM_ID: str = ""
    #: Id of the key for Sign in with Apple, 10 characters.
    APPLE_KEY_ID: str = ""
    #: That key, the .p8 file's content; line breaks may be written as two characters.
    APPLE_PRIVATE_KEY: str = ""
    #: Used byte for byte when set; otherwise the callback's absolute address.
    APPLE_REDIRECT_URI: str = ""
    #: Bundle ids of apps whose id_tokens are taken.
    APPLE_ID_TOKEN_AUDIENCES: tuple[str, ...] = ()
    #: All of Apple's addresses; also the issuer of id_tokens.
    APPLE_URL: str = "https://appleid.apple.com"

    #: Seconds a whole login may spend talking to the provider.
    PROVIDER_DEADLINE_SECONDS: float = 5.0
    #: Seconds to open a connection to the provider, within the deadline.
    PROVIDER_CONNECT_SECONDS: float = 2.0
    #: Seconds a provider may stay silent in one call, within the deadline.
    PROVIDER_READ_SECONDS: float = 4.0
    #: Calls to one provider in flight per process; half as many wait, more fail at once with "the provider is slow".
    PROVIDER_MAX_CALLS: int = 16
    #: `true` reads HTTPS_PROXY and friends for calls to providers.
    PROVIDER_PROXY_FROM_ENV: bool = False

    #: Fernet keys that encrypt stored provider tokens, comma separated, the newest first. Empty: made from SECRET_KEY.
    KAKAOAUTH_TOKEN_KEYS: tuple[str, ...] = ()

    #: `false` lets people without a trusted e-mail in; their e-mail stays empty.
    KAKAOAUTH_EMAIL_REQUIRED: bool = True
    #: A provider whose id_token says nothing new is asked for the whole profile this many seconds after the last time
    #: (a day); 0: at each login.
    KAKAOAUTH_PROFILE_REFRESH_SECONDS: int = 86400
    #: What people must or may agree to when they sign up, as JSON: docs/terms.md. Empty: no such step.
    KAKAOAUTH_TERMS: tuple[terms.Term, ...] = ()
    #: A session ends after this many seconds unused (14 days) ...
    KAKAOAUTH_SESSION_IDLE_SECONDS: int = 14 * 86400
    #: ... and after this many whatever happens (90 days).
    KAKAOAUTH_SESSION_MAX_SECONDS: int = 90 * 86400
    #: The same for staff: 12 hours unused ...
    KAKAOAUTH_STAFF_SESSION_IDLE_SECONDS: int = 12 * 3600
    #: ... and 7 days whatever happens.
    KAKAOAUTH_STAFF_SESSION_MAX_SECONDS: int = 7 * 86400

    #: Our access tokens live this long (5 minutes).
    KAKAOAUTH_ACCESS_TOKEN_SECONDS: int = 300
    #: A refresh token lives this long unused (7 days); a family of them ends at
    #: KAKAOAUTH_SESSION_MAX_SECONDS, like a session.
    KAKAOAUTH_REFRESH_TOKEN_SECONDS: int = 604800
    #: HS256, or RS256 and ES256, whose public keys other services find at `/.well-known/jwks.json`.
    KAKAOAUTH_ACCESS_TOKEN_ALGORITHM: str = "HS256"  # noqa: S105

    #: Exact origins, comma separated, that a login may return to and whose scripts may use the API. With the sandbox:
    #: the example front end's.
    KAKAOAUTH_FRONTEND_ORIGINS: tuple[str, ...] = ()
    #: How many proxies' `X-Forwarded-*` are believed.
    TRUSTED_PROXIES: int = 0
    #: Scheme and host of the site, e.g. `https://login.example.kr`; when set, the Host header decides nothing.
    PUBLIC_URL: str = ""
    #: `false` counts no requests, for load tests: see rate_limits.
    KAKAOAUTH_RATE_LIMITS: bool = True
    #: Calls to providers that all apps' logins may cost in a minute, two each: see provider_quota.
    PROVIDER_CALLS_PER_MINUTE: int = 600

    #: What all our keys in Redis begin with. In a host's app that does not set it: made from its SECRET_KEY, see
    #: `host.redis_prefix`.
    KAKAOAUTH_REDIS_PREFIX: str = ""
    #: Keys of the session, comma separated, that the app's own pages have set and a login leaves there.
    KAKAOAUTH_SESSION_KEEP: tuple[str, ...] = ()
    #: The template that all pages extend. It has the blocks `title`, `head`, `nav`, `content` and `footer`.
    KAKAOAUTH_LAYOUT: str = "kakaoauth/layout.html"
    #: `ko` or `en`: the language of all pages. Empty: the visitor's.
    KAKAOAUTH_LANGUAGE: str = ""

    #: `true` logs people whom Kakao knows in inside KakaoTalk's browser without a press, once: see silent_login.
    KAKAOAUTH_KAKAOTALK_AUTO_LOGIN: bool = False
    #: Who deletes their account may restore it for this many days; then it is erased. 0: it is erased at once.
    KAKAOAUTH_LEAVE_GRACE_DAYS: int = 0
    #: For this many days after they have left, people cannot sign up again. 0: they can at once.
    KAKAOAUTH_REJOIN_BLOCK_DAYS: int = 0

    #: The site's name: in the header, in titles, in what other sites show of a link, and of the API.
    KAKAOAUTH_SITE_NAME: str = "kakaoauth"
    #: One sentence about the site, on the first page and for search engines.
    KAKAOAUTH_SITE_DESCRIPTION: str = ""
    #: A picture: a file in INSTANCE_PATH or in the app's static folder, or an https:// address.
    KAKAOAUTH_SITE_LOGO: str = ""
    #: Colour of buttons and links, like `#3182f6`. Made readable in light and dark: config/colours.py.
    KAKAOAUTH_ACCENT_COLOR: str = ""
    #: Terms of use: an https:// address, or a path of the site.
    KAKAOAUTH_TERMS_URL: str = ""
    #: Privacy policy, the same.
    KAKAOAUTH_PRIVACY_URL: str = ""
    #: Whom to turn to: an e-mail address, a telephone number or an https:// address.
    KAKAOAUTH_CONTACT: str = ""
    #: Lines at the foot of every page, such as the business information; line breaks may be written as two characters.
    KAKAOAUTH_FOOTER: str = ""
    #: Where the first page leads people who are logged in: an https:// address or a path. Empty: to a page of ours.
    KAKAOAUTH_HOME_URL: str = ""
    #: Style sheets of the owner's, comma separated: https:// addresses or paths. They come after ours.
    KAKAOAUTH_STYLE_SHEETS: tuple[str, ...] = ()
    #: Scripts of the owner's, the same.
    KAKAOAUTH_SCRIPTS: tuple[str, ...] = ()
    #: What these load from elsewhere, as directives of a Content-Security-Policy: `font-src https://fonts.example.kr`.
    KAKAOAUTH_CSP: str = ""

    #: The audit trail goes back this many days; what is older is removed.
    KAKAOAUTH_AUDIT_DAYS: int = 365
    #: Opens `/metrics` to a scraper elsewhere (`Authorization: Bearer ...`); empty: for this machine alone.
    METRICS_TOKEN: str = ""

    #: Port of the site on this machine.
    PORT: int = 8000
    #: Port of the Kakao sandbox on this machine.
    SANDBOX_PORT: int = 8001
    #: Port of the example front end on this machine; it goes with the sandbox.
    FRONTEND_PORT: int = 8002
    #: DEBUG, INFO, WARNING or ERROR.
    LOG_LEVEL: str = "INFO"
    #: `text`, or `json`: one object a line.
    LOG_FORMAT: str = "text"
    #: Where the embedded parts keep their data.
    INSTANCE_PATH: str = str(ROOT / "instance")


TYPES = get_type_hints(Settings)
NAMES = tuple(TYPES)

#: What belongs to the reference site's process and not to the extension.
SITE_NAMES = (
    *(
        "PUBLIC_URL",
        "TRUSTED_PROXIES",
        "METRICS_TOKEN",
        "PORT",
        "SANDBOX_PORT",
        "FRONTEND_PORT",
        "LOG_LEVEL",
        "LOG_FORMAT",
    ),
    "INSTANCE_PATH",
)

#: Settings that are newer than version 0.1, and never had another name.
NEW = (
    *("KAKAOAUTH_TERMS", "KAKAOAUTH_SESSION_KEEP", "KAKAOAUTH_LAYOUT", "KAKAOAUTH_LANGUAGE", "KAKAOAUTH_REDIS_PREFIX"),
    *("KAKAOAUTH_LEAVE_GRACE_DAYS", "KAKAOAUTH_REJOIN_BLOCK_DAYS", "KAKAOAUTH_KAKAOTALK_AUTO_LOGIN"),
    *("KAKAOAUTH_SITE_NAME", "KAKAOAUTH_SITE_DESCRIPTION", "KAKAOAUTH_SITE_LOGO", "KAKAOAUTH_ACCENT_COLOR"),
    *("KAKAOAUTH_TERMS_URL", "KAKAOAUTH_PRIVACY_URL", "KAKAOAUTH_CONTACT", "KAKAOAUTH_FOOTER", "KAKAOAUTH_HOME_URL"),
    *("KAKAOAUTH_STYLE_SHEETS", "KAKAOAUTH_SCRIPTS", "KAKAOAUTH_CSP"),
)
#: Names until version 0.1 -> names today.
RENAMED = {
    **{
        f"KAKAO_{name}": f"PROVIDER_{name}"
        for name in ("DEADLINE_SECONDS", "CONNECT_SECONDS", "READ_SECONDS", "MAX_CALLS", "PROXY_FROM_ENV")
    },
    **{name.removeprefix("KAKAOAUTH_"): name for name in NAMES if name.startswith("KAKAOAUTH_") and name not in NEW},
}


def refuse_old_names(given: Collection[str]) -> None:
    """:raises ConfigError: a setting is given by the name it had until version 0.1."""
    for old, new in RENAMED.items():
        if old in given:
            raise ConfigError(f"{old} is called {new} now: rename it")


def refuse_misspelt(given: Iterable[str]) -> None:
    """:raises ConfigError: a name with our prefix is nearly one of ours, and would be without effect."""
    for name in given:
        if name.startswith("KAKAOAUTH_") and name not in NAMES:
            for meant in get_close_matches(name, NAMES, n=1, cutoff=0.9):
                raise ConfigError(f"{name} is no setting of kakaoauth: {meant} is one")
