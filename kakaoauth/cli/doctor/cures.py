"""What the operator can do about each of Kakao's error codes, in their language."""

from typing import Any

from kakaoauth.providers.kakao.verdicts import Reply, Verdict
from kakaoauth.translation import gettext, lazy_gettext

_ = lazy_gettext

_KEY = _(
    "Copy the REST API key from the console, [App] > [Platform key], into KAKAO_CLIENT_ID. "
    "The native, JavaScript and admin keys do not work here."
)
_SANCTION = _("Kakao has sanctioned the app or its developer: read the mail that was sent to the app's members.")
_IPS = _("Add the address of this server to the app's allowed IPs in the console, or empty that list.")
_RIGHTS = _("Allow this admin key to use the user APIs in the console, [App] > [Admin key].")

#: By KOE code, Kakao's number, OAuth error name, or one of verdicts' own words.
CURES: dict[str, Any] = {
    "KOE002": _("Check KAKAO_KAUTH_URL; normally leave it out."),
    "KOE004": _("Switch Kakao Login on in the console, under [Kakao Login]."),
    "KOE005": _("This is a test app: add the people who may log in as members of the app, or use the real app's key."),
    "KOE006": _(
        "Register exactly this address, to the letter and with the slash at its end, in the console under this "
        "REST API key. One that is registered under another key does not count."
    ),
    "KOE007": _("Register exactly this address in the console: [Kakao Login] > [Advanced] > logout redirect URI."),
    "KOE008": _KEY,
    "KOE009": _("Register the platform of this site in the console, under the key."),
    "KOE010": _(
        "Copy the client secret from the console, under the REST API key, into KAKAO_CLIENT_SECRET. "
        "Look for o and 0, l and 1."
    ),
    "KOE101": _KEY,
    "KOE114": _KEY,
    "KOE125": _SANCTION,
    "KOE126": _(
        "Kakao does not say what this means: compare every setting of the app in the console with docs/kakao-setup.md."
    ),
    "KOE127": _IPS,
    "KOE205": _(
        "Configure these items in the console, [Kakao Login] > consent items; or take them out of KAKAO_SCOPE. "
        "Without the e-mail: KAKAOAUTH_EMAIL_REQUIRED=false."
    ),
    "KOE303": _("Set KAKAO_REDIRECT_URI or PUBLIC_URL the same on all servers, as it is registered in the console."),
    "KOE310": _("Set KAKAO_REDIRECT_URI or PUBLIC_URL the same on all servers, as it is registered in the console."),
    "invalid_client": _("Copy KAKAO_CLIENT_ID and KAKAO_CLIENT_SECRET from the console once more."),
    "unauthorized_client": _SANCTION,
    "invalid_scope": _(
        "Configure these items in the console, [Kakao Login] > consent items; or take them out of KAKAO_SCOPE. "
        "Without the e-mail: KAKAOAUTH_EMAIL_REQUIRED=false."
    ),
    "misconfigured": _("Register the platform of this site in the console, under the key."),
    "issuer": _("Set KAKAO_KAUTH_URL to the issuer that is shown; normally leave it out. id_tokens are refused now."),
    "keys": _("No id_token can be checked: check KAKAO_KAUTH_URL; if it is Kakao's, wait and try again."),
    "ip": _IPS,
    "-3": _RIGHTS,
    "-5": _RIGHTS,
    "-12": _SANCTION,
    "-13": _("Kakao has suspended the app because it was not used for long: wake it in the console."),
    "-401": _("Copy the primary admin key from the console, [App] > [Admin key], into KAKAO_ADMIN_KEY."),
    "-903": _SANCTION,
}


def cure_of(reply: Reply) -> str:
    """What to do about an answer that is not fine."""
    if reply.verdict is Verdict.DOWN:
        return str(
            gettext(
                "Wait a minute and try again: this says nothing about your settings. If it stays so, check this "
                "machine's way to Kakao (firewall, proxy, KAKAO_KAUTH_URL, KAKAO_KAPI_URL)."
            )
        )
    if reply.verdict is Verdict.UNCLEAR:
        return str(gettext("Try it in a browser: Kakao's answer could not be understood."))
    known = CURES.get(reply.code)
    return str(known or gettext("Look the code up in docs/kakao-setup.md, and compare the settings with the console."))


def detail_of(reply: Reply, seen: str = "") -> str:
    """Return what was seen, in one line; `seen` comes first."""
    parts = [seen, ", ".join(reply.items)]
    if reply.verdict is Verdict.DOWN:
        parts.append(str(gettext("Kakao does not answer as it should")))
    # Our own marks are no codes.
    parts.append(reply.code if reply.code not in ("issuer", "keys", "ip") else "")
    parts.append(reply.reason if reply.reason != reply.code else "")
    return "; ".join(part for part in parts if part)
