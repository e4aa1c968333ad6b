"""What Kakao itself says about the settings: at most eight calls, none of which concerns a person.

Once Kakao does not answer, the rest of that host is not asked: a dash, and nobody waits through eight deadlines.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask

from kakaoauth.cli.doctor.cures import cure_of, detail_of
from kakaoauth.cli.doctor.findings import Report
from kakaoauth.cli.doctor.site import logout_uri, redirect_uri, split_items
from kakaoauth.providers.kakao.probe import Probe
from kakaoauth.providers.kakao.verdicts import Reply, Verdict
from kakaoauth.translation import gettext

#: Seconds a clock may be off before it is worth a word, and before logins fail.
SLOW_CLOCK, WRONG_CLOCK = 10, 30
#: Codes of the authorization page that are about something else than the login itself.
BLAMED = {
    "KOE006": "kakao.redirect_uri",
    **dict.fromkeys(("KOE101", "KOE008", "KOE125", "invalid_client", "unauthorized_client"), "kakao.client_id"),
}
#: What an authorization request is needed for.
AUTHORIZED = ("kakao.login", "kakao.redirect_uri", "kakao.consent", "kakao.openid")
#: What is asked of the login host.
KAUTH = ("kakao.issuer", "kakao.keys", "kakao.client_id", "kakao.client_secret", *AUTHORIZED, "kakao.logout_uri")


class Host:
    """One of Kakao's hosts. When it does not answer, that is a cross, and what would be asked next gets dashes."""

    def __init__(self, report: Report) -> None:
        self._report = report
        #: The check at which it fell silent.
        self.stopped_by = ""

    def ask(self, check: str, question: Callable[[], Reply]) -> Reply | None:
        """Return Kakao's reply; None if the host does not answer, which is noted."""
        if self.stopped_by:
            self._report.skip((check,), self.stopped_by)
            return None
        reply = question()
        if reply.verdict is not Verdict.DOWN:
            return reply
        self.stopped_by = check
        self._report.fail(check, cure_of(reply), detail_of(reply))
        return None


def check(app: Flask, report: Report) -> None:
    """Ask Kakao about the settings and note one finding per check."""
    probe = Probe(app.config)
    try:
        kauth = Host(report)
        _check_kauth(app, probe, kauth, report)
        report.skip_rest(KAUTH, kauth.stopped_by or "kakao.client_id")
        one_host = app.config["KAKAO_KAPI_URL"] == app.config["KAKAO_KAUTH_URL"]
        _check_admin(app, probe, kauth if one_host else Host(report), report)
        _check_clock(probe.clock_offset(), report)
    finally:
        probe.close()
    _check_webhooks(app, report)


def _check_kauth(app: Flask, probe: Probe, kauth: Host, report: Report) -> None:
    reply = kauth.ask("kakao.reachable", probe.discovery)
    if reply is None:
        if "kakao" in app.config["KAKAOAUTH_EMBEDDED"]:
            cure = gettext("Start the sandbox: `make run`, or `flask --app wsgi kakao sandbox`.")
            report.fail("kakao.reachable", cure, app.config["KAKAO_KAUTH_URL"])
        return
    report.ok("kakao.reachable", app.config["KAKAO_KAUTH_URL"])
    _tell("kakao.issuer", reply, report)
    if reply := kauth.ask("kakao.keys", probe.keys):
        _tell("kakao.keys", reply, report, seen=gettext("%(n)s usable", n=reply.reason) if _fine(reply) else "")
    _check_client(app, probe, kauth, report)
    if report.has_failed("kakao.client_id"):
        return
    address, after_logout = redirect_uri(app), logout_uri(app)
    if address is None or after_logout is None:
        report.skip((*AUTHORIZED, "kakao.logout_uri"), "settings.redirect_uri")
        return
    _check_authorize(app, probe, kauth, report, address)
    if reply := kauth.ask("kakao.logout_uri", lambda: probe.logout(after_logout)):
        _tell("kakao.logout_uri", reply, report, seen=after_logout)


def _check_client(app: Flask, probe: Probe, kauth: Host, report: Report) -> None:
    # Kakao looks at key and secret before anything else, so any address will do where ours is not known.
    address = redirect_uri(app)
    reply = kauth.ask("kakao.client_id", lambda: probe.client(address or "http://localhost/"))
    if reply is None:
        return
    if _fine(reply) or reply.code in ("KOE303", "KOE310"):
        report.ok("kakao.client_id")
        if app.config["KAKAO_CLIENT_SECRET"]:
            report.ok("kakao.client_secret")
        else:
            cure = gettext("It is safer with one: switch the client secret on in the console and set it here.")
            report.warn("kakao.client_secret", cure, gettext("Kakao asks for none"))
        if not _fine(reply) and address:
            _tell("kakao.redirect_uri", reply, report, seen=address)
    elif reply.code == "KOE010":
        report.ok("kakao.client_id")
        _tell("kakao.client_secret", reply, report)
    else:
        _tell("kakao.client_id", reply, report)
        report.skip(("kakao.client_secret",), "kakao.client_id")


def _check_authorize(app: Flask, probe: Probe, kauth: Host, report: Report, address: str) -> None:
    reply = kauth.ask("kakao.login", lambda: probe.authorize(address))
    if reply is None:
        return
    if not _fine(reply):
        refused = reply.verdict is Verdict.REFUSED
        on_whom = BLAMED.get(reply.code, "kakao.login") if refused else "kakao.login"
        _tell(on_whom, reply, report, seen=address if on_whom == "kakao.redirect_uri" else "")
        report.skip_rest(AUTHORIZED, on_whom)
        return
    report.ok("kakao.login")
    if not report.has_failed("kakao.redirect_uri"):
        report.ok("kakao.redirect_uri", address)
    _check_consent(app, probe, kauth, report, address)
    _check_openid(app, probe, kauth, report, address)


def _check_consent(app: Flask, probe: Probe, kauth: Host, report: Report, address: str) -> None:
    wanted = [item for item in split_items(app.config["KAKAO_SCOPE"]) if item != "openid"]
    if app.config["KAKAOAUTH_EMAIL_REQUIRED"]:
        # Our page for people without an e-mail has a button that asks for it.
        wanted.append("account_email")
    items = tuple(dict.fromkeys(wanted))
    if not items:
        report.ok("kakao.consent", gettext("none is asked for"))
        return
    if reply := kauth.ask("kakao.consent", lambda: probe.authorize(address, items)):
        _tell("kakao.consent", reply, report, seen="" if reply.items else ", ".join(items))


def _check_openid(app: Flask, probe: Probe, kauth: Host, report: Report, address: str) -> None:
    reply = kauth.ask("kakao.openid", lambda: probe.authorize(address, ("openid",)))
    if reply is None:
        return
    off = reply.verdict is Verdict.REFUSED and reply.code in ("KOE205", "invalid_scope")
    if not off:
        _tell("kakao.openid", reply, report)
    elif "openid" in split_items(app.config["KAKAO_SCOPE"]):
        cure = gettext(
            "Switch it on in the console, [Kakao Login] > OpenID Connect, or take openid out of KAKAO_SCOPE."
        )
        report.fail(
            "kakao.openid",
            cure,
            gettext("%(code)s: KAKAO_SCOPE asks for it, so every login ends there", code=reply.code),
        )
    else:
        cure = gettext("Switch it on in the console, [Kakao Login] > OpenID Connect.")
        report.warn("kakao.openid", cure, gettext("off: each login needs two calls to Kakao instead of one"))


def _check_admin(app: Flask, probe: Probe, kapi: Host, report: Report) -> None:
    if not app.config["KAKAO_ADMIN_KEY"] or report.has_failed("settings.admin_key"):
        report.skip(("kakao.admin_key",), "settings.admin_key")
        return
    reply = kapi.ask("kakao.admin_key", probe.admin)
    if reply is None:
        return
    if reply.verdict is Verdict.REFUSED and reply.code in ("-3", "-5"):
        # The key is genuine. Whether it may unlink, which is what we need it for, no harmless call can tell.
        seen = gettext("%(code)s: the key is right, but may not list the users", code=reply.code)
        report.warn("kakao.admin_key", cure_of(reply), seen)
        return
    _tell("kakao.admin_key", reply, report)


def _check_clock(offset: float | None, report: Report) -> None:
    if offset is None:
        report.skip_for("kakao.clock", gettext("not checked: no answer of Kakao's told the time"))
        return
    seconds = round(abs(offset))
    if offset > 0:
        seen = gettext("%(n)s seconds behind Kakao's", n=seconds)
    else:
        seen = gettext("%(n)s seconds ahead of Kakao's", n=seconds)
    cure = gettext("Set the clock of this machine by NTP (timedatectl set-ntp true).")
    if seconds > WRONG_CLOCK:
        report.fail("kakao.clock", cure, seen)
    elif seconds > SLOW_CLOCK:
        report.warn("kakao.clock", cure, seen)
    else:
        report.ok("kakao.clock")


def _check_webhooks(app: Flask, report: Report) -> None:
    public = app.config["PUBLIC_URL"]
    if urlsplit(public).scheme != "https":
        cure = gettext("Kakao sends webhooks to https only: set PUBLIC_URL to the public address of this site.")
        report.warn("kakao.webhooks", cure)
        return
    addresses = f"{public}/webhooks/kakao/unlink/ , {public}/webhooks/kakao/account-status/"
    seen = gettext("to be registered in the console, [App] > [Webhook]: %(addresses)s", addresses=addresses)
    if not app.config["KAKAO_ADMIN_KEY"]:
        cure = gettext("Set KAKAO_ADMIN_KEY: without it no unlink webhook can be told from a forged one.")
        report.warn("kakao.webhooks", cure, seen)
    else:
        report.ok("kakao.webhooks", seen)


def _fine(reply: Reply) -> bool:
    return reply.verdict is Verdict.FINE


def _tell(check: str, reply: Reply, report: Report, *, seen: str = "") -> None:
    if _fine(reply):
        report.ok(check, seen)
    elif reply.verdict is Verdict.UNCLEAR:
        report.warn(check, cure_of(reply), detail_of(reply, seen))
    else:
        report.fail(check, cure_of(reply), detail_of(reply, seen))
