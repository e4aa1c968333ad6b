"""What the doctor found: one finding for each check, in one fixed order, whatever came of it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from kakaoauth.errors import one_line
from kakaoauth.translation import gettext, lazy_gettext

_ = lazy_gettext

#: Every check: its id, for machines, and its title. The part before the dot is the section.
TITLES: dict[str, Any] = {
    "settings.start": _("The settings are accepted at start"),
    "settings.client_id": _("REST API key (KAKAO_CLIENT_ID)"),
    "settings.client_secret": _("Client secret (KAKAO_CLIENT_SECRET)"),
    "settings.admin_key": _("Admin key (KAKAO_ADMIN_KEY)"),
    "settings.app_id": _("App id (KAKAO_APP_ID)"),
    "settings.redirect_uri": _("Form of the redirect address"),
    "settings.site": _("Address of the site, and its cookies"),
    "settings.scope": _("Consent items in KAKAO_SCOPE"),
    "settings.terms": _("Addresses in KAKAOAUTH_TERMS"),
    "settings.privacy": _("Link to the privacy policy"),
    "kakao.reachable": _("Kakao answers"),
    "kakao.clock": _("The clock of this machine"),
    "kakao.issuer": _("OpenID Connect: the issuer is KAKAO_KAUTH_URL"),
    "kakao.keys": _("OpenID Connect: signing keys"),
    "kakao.client_id": _("Kakao knows the REST API key"),
    "kakao.client_secret": _("Kakao accepts the client secret"),
    "kakao.login": _("Kakao Login is switched on"),
    "kakao.redirect_uri": _("The redirect address is registered"),
    "kakao.consent": _("The consent items are configured"),
    "kakao.openid": _("OpenID Connect is switched on"),
    "kakao.logout_uri": _("The logout redirect address is registered"),
    "kakao.admin_key": _("Kakao accepts the admin key"),
    "kakao.webhooks": _("Webhooks"),
    "others.facebook": _("Facebook accepts id and secret"),
    "others.naver": _("Naver accepts id and secret"),
    "others.google": _("Google accepts id and secret"),
    "others.apple": _("Apple accepts id and key"),
    "machine.redis": _("Redis answers"),
    "machine.redis_version": _("Version of Redis"),
    "machine.redis_eviction": _("What Redis does when it is full"),
    "machine.redis_persistence": _("Redis keeps its data over a restart"),
    "machine.database": _("The database answers"),
    "machine.schema": _("Schema of the database"),
    "machine.host_tables": _("Other tables that refer to users"),
    "machine.backlog": _("Nothing is left undone"),
}
SECTIONS: dict[str, Any] = {
    "settings": _("Settings"),
    "kakao": _("Kakao"),
    "others": _("Other logins"),
    "machine": _("This machine"),
}


class Status(Enum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    id: str
    status: Status
    title: str
    cure: str = ""
    detail: str = ""


class Report:
    """Collects findings. `cure` says what to do, `detail` what was seen; neither ever holds a whole key."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def ok(self, check: str, detail: str = "") -> None:
        """Note that a check passed."""
        self._add(check, Status.OK, "", detail)

    def warn(self, check: str, cure: str, detail: str = "") -> None:
        """Note something that works but should be changed; it does not fail the command."""
        self._add(check, Status.WARNING, cure, detail)

    def fail(self, check: str, cure: str, detail: str = "") -> None:
        """Note a fault: the command exits with 1."""
        self._add(check, Status.FAILED, cure, detail)

    def skip(self, checks: tuple[str, ...], cause: str) -> None:
        """Say of each check that `cause`, another check, stood in its way."""
        for check in checks:
            self.skip_for(check, gettext('not checked; see "%(cause)s"', cause=str(TITLES[cause])))

    def skip_for(self, check: str, reason: str) -> None:
        """Note that a check was not made, and why."""
        self._add(check, Status.SKIPPED, "", reason)

    def skip_rest(self, checks: tuple[str, ...], cause: str) -> None:
        """Skip those of which nothing is known yet."""
        self.skip(tuple(check for check in checks if check not in self._found), cause)

    def has_failed(self, check: str) -> bool:
        """Whether `fail` was noted for this check."""
        return check in self._found and self._found[check].status is Status.FAILED

    def findings(self) -> list[Finding]:
        """All of them in order. What nobody looked at had no configuration to look at."""
        self.skip_rest(tuple(TITLES), "settings.start")
        return [self._found[check] for check in TITLES]

    def _add(self, check: str, status: Status, cure: str, detail: str) -> None:
        # Details quote settings and answers: they shall not steer the terminal.
        self._found[check] = Finding(check, status, str(TITLES[check]), one_line(cure, 600), one_line(detail, 600))


def is_healthy(findings: list[Finding]) -> bool:
    """Whether no check failed; warnings do not count."""
    return all(finding.status is not Status.FAILED for finding in findings)
