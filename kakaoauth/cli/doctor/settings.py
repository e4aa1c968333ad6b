"""What can be said about the settings without asking anybody: their form, and whether they fit together."""

import re
from urllib.parse import urlsplit

from flask import Flask

from kakaoauth.cli.doctor.findings import Report
from kakaoauth.cli.doctor.site import callback_path, redirect_uri, split_items
from kakaoauth.config.checks import is_loopback
from kakaoauth.translation import gettext

#: Kakao's consent items, and `openid`.
ITEMS = frozenset(
    "openid profile_nickname profile_image profile account_email name gender age_range birthday birthyear phone_number "
    "account_ci shipping_address friends talk_message talk_chats plusfriends".split()
)
#: What stands where a value was meant.
_PLACEHOLDER = re.compile(
    r"undefined|null|none|nil|nan|todo|tbd|test|dummy|secret|key|x{3,}|\*{3,}|\.{3,}|change.?me|"
    r"(?:your|my|insert|replace|enter|put)[_\- ].*|.*[_\- ]here|<.*>|\$.*|%.*%|\{\{.*|"
    r"(?:kakao_)?(?:rest_api_key|client_id|client_secret|admin_key|api_key|app_key)|.*여기.*|.*입력.*",
    re.IGNORECASE,
)
_APP_KEY = re.compile(r"[0-9a-f]{32}")
_SECRET = re.compile(r"[0-9A-Za-z]{32}")


def shown(key: str) -> str:
    """As much of a key as may be seen."""
    return f"{key[:4]}…" if len(key) >= 16 else "…"


def check(app: Flask, report: Report) -> None:
    """Check the form of the settings, without a call to anybody."""
    report.ok("settings.start")
    config = app.config
    _check_client_id(config["KAKAO_CLIENT_ID"], config["KAKAO_CLIENT_SECRET"], config["KAKAO_ADMIN_KEY"], report)
    _check_client_secret(config["KAKAO_CLIENT_SECRET"], config["KAKAO_ADMIN_KEY"], report)
    _check_admin_key(config["KAKAO_ADMIN_KEY"], report)
    _check_app_id(config["KAKAO_APP_ID"], report)
    _check_redirect_uri(app, report)
    _check_site(app, report)
    _check_scope(config["KAKAO_SCOPE"], report)
    _check_privacy(config["KAKAOAUTH_PRIVACY_URL"], report)


def _check_privacy(address: str, report: Report) -> None:
    if address:
        report.ok("settings.privacy", address)
        return
    cure = gettext("Set KAKAOAUTH_PRIVACY_URL to the address of your privacy policy.")
    report.warn("settings.privacy", cure, gettext("not set: the law and Kakao's review want a link to it"))


def _oddity(value: str) -> str:
    """Why a value can be no key at all; "" if it can."""
    if _PLACEHOLDER.fullmatch(value):
        return str(gettext("a placeholder stands there"))
    if re.search(r"[\"'“”‘’`]", value):
        return str(gettext("it holds a quotation mark"))
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        return str(gettext("it holds a blank, a line break or a character that no key has"))
    if value.isdigit():
        return str(gettext("it is a number, like the app id"))
    return ""


def _check_client_id(key: str, secret: str, admin_key: str, report: Report) -> None:
    wrong = _oddity(key)
    if not wrong and key == admin_key:
        wrong = gettext("it is the same as KAKAO_ADMIN_KEY")
    elif not wrong and (key == secret or (_SECRET.fullmatch(key) and not _APP_KEY.fullmatch(key))):
        wrong = gettext("it looks like a client secret")
    cure = gettext("Copy the REST API key from the console, [App] > [Platform key], into KAKAO_CLIENT_ID.")
    if wrong:
        report.fail("settings.client_id", cure, wrong)
    elif not _APP_KEY.fullmatch(key):
        seen = gettext("a REST API key has 32 characters, digits and a to f; this one has %(length)s", length=len(key))
        report.warn("settings.client_id", cure, seen)
    else:
        report.ok("settings.client_id", shown(key))


def _check_client_secret(secret: str, admin_key: str, report: Report) -> None:
    if not secret:
        report.ok("settings.client_secret", gettext("not set; whether Kakao wants one is asked below"))
        return
    wrong = _oddity(secret)
    if not wrong and (secret == admin_key or _APP_KEY.fullmatch(secret)):
        wrong = gettext("it looks like an app key")
    cure = gettext("Copy the client secret from the console, under the REST API key, into KAKAO_CLIENT_SECRET.")
    if wrong:
        report.fail("settings.client_secret", cure, wrong)
    elif not _SECRET.fullmatch(secret):
        seen = gettext("a client secret has 32 letters and digits; this one has %(length)s", length=len(secret))
        report.warn("settings.client_secret", cure, seen)
    else:
        report.ok("settings.client_secret", shown(secret))


def _check_admin_key(key: str, report: Report) -> None:
    cure = gettext("Copy the primary admin key from the console, [App] > [Admin key], into KAKAO_ADMIN_KEY.")
    if not key:
        seen = gettext("not set: no webhooks, and no disconnecting or logout at Kakao of people who hold no token")
        report.warn("settings.admin_key", cure, seen)
    elif wrong := _oddity(key):
        report.fail("settings.admin_key", cure, wrong)
    elif not _APP_KEY.fullmatch(key):
        seen = gettext("an admin key has 32 characters, digits and a to f; this one has %(length)s", length=len(key))
        report.warn("settings.admin_key", cure, seen)
    else:
        report.ok("settings.admin_key", shown(key))


def _check_app_id(app_id: int, report: Report) -> None:
    if app_id:
        report.ok("settings.app_id", str(app_id))
        return
    cure = gettext("Copy the app id, a number, from the console, [App] > General, into KAKAO_APP_ID.")
    report.warn("settings.app_id", cure, gettext("not set: the API refuses Kakao access tokens of mobile apps"))


def _check_redirect_uri(app: Flask, report: Report) -> None:
    address = redirect_uri(app)
    if address is None:
        cure = gettext("Set PUBLIC_URL to the address of this site, like https://login.example.kr.")
        report.warn("settings.redirect_uri", cure, gettext("it depends on what the proxy says in each request"))
        return
    parts, public = urlsplit(address), app.config["PUBLIC_URL"]
    wrong = ""
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        wrong = gettext("it must begin with https://")
    elif parts.query or "?" in address or "#" in address:
        wrong = gettext("it must have no ? and no #")
    elif not parts.path.endswith(callback_path(app)):
        wrong = gettext("it must end with %(path)s", path=callback_path(app))
    elif public and parts.hostname != urlsplit(public).hostname:
        wrong = gettext("its host is not PUBLIC_URL's, and the session's cookie is not sent there")
    if wrong:
        cure = gettext("Correct KAKAO_REDIRECT_URI, or leave it out: then it is made from PUBLIC_URL.")
        report.fail("settings.redirect_uri", cure, f"{address}: {wrong}")
    else:
        report.ok("settings.redirect_uri", address)


def _check_site(app: Flask, report: Report) -> None:
    config = app.config
    public, callback = config["PUBLIC_URL"], config["KAKAO_REDIRECT_URI"]
    seen = public or callback
    parts = urlsplit(seen)
    cure = gettext("Set PUBLIC_URL to the address of this site, like https://login.example.kr.")
    if seen and parts.scheme != "https" and not is_loopback(parts.hostname):
        report.fail("settings.site", cure, gettext("plain http: browsers do not keep a Secure cookie, nobody logs in"))
    elif not public and config["TRUSTED_PROXIES"]:
        report.ok(
            "settings.site", gettext("as the trusted proxy says; TRUSTED_PROXIES=%(n)s", n=config["TRUSTED_PROXIES"])
        )
    elif not public and callback and not is_loopback(parts.hostname):
        report.warn("settings.site", cure, gettext("behind a proxy that is not trusted the site takes https for http"))
    elif parts.scheme == "https":
        report.ok("settings.site", gettext("%(address)s; the cookies are Secure", address=seen))
    else:
        seen = public or f"http://localhost:{config['PORT']}"
        report.ok("settings.site", gettext("%(address)s; this machine only", address=seen))


def _check_scope(scope: str, report: Report) -> None:
    items = split_items(scope)
    unknown = [item for item in items if item not in ITEMS]
    if unknown:
        cure = gettext("Correct them, or leave KAKAO_SCOPE empty: then the console decides.")
        report.warn("settings.scope", cure, gettext("unknown: %(items)s", items=", ".join(unknown)))
    else:
        report.ok("settings.scope", ", ".join(items) or gettext("empty: the console decides"))
