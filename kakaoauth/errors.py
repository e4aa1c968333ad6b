"""The only file that knows how things go wrong: the family of errors. How they are shown: error_pages.

    AppError                    what a person is told: status, code, title, message
    ├── InvalidRequest          400  a request nobody's browser makes by itself
    │   ├── MalformedCallback   400  doubled, oversized or contradictory parameters
    │   ├── UnknownState        400  a login this browser did not begin, or began elsewhere
    │   ├── CookieLost          400  the browser came back without its cookie
    │   ├── LoginExpired        400  the login took longer than ten minutes
    │   ├── CodeRefused         400  Kakao no longer knows the authorization code
    │   └── ForgedForm          400  a form without this session's CSRF token, or from another site
    ├── LoginCancelled          200  a person who changed their mind
    ├── InteractionRequired     403  Kakao wants to show a page first
    ├── UnderAge                403
    ├── AccountUnusable         403  the provider will not let this account in
    ├── EmailRequired           403  with the case it is: see providers.base.EmailState
    ├── EmailInUse              409  with the provider that account uses
    ├── AccountDisabled         403
    ├── UntrustedIdentity       502  the provider's answer contradicts itself or is not signed as it must be
    ├── Forbidden               403
    ├── LastSuperuserStays      409
    ├── NotFound                404
    ├── Misconfigured           500  the operator must act; the person is told only that it is not their fault
    └── Unavailable             503  try again later, with Retry-After
        ├── ProviderUnavailable 503  the provider's fault: down, slow, or talking nonsense
        ├── ProviderBusy        503  too many of our own calls to the provider are waiting
        ├── SessionsUnavailable 503  Redis is away
        └── DatabaseUnavailable 503  the database is away

`reason` goes to the log and is written by us; what a provider or a browser sent goes there escaped at most, and no
token, code or `error_description` goes there at all.
"""

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

from flask_babel import gettext, lazy_gettext

_ = lazy_gettext

#: How people call the providers.
PROVIDER_LABELS = {"kakao": _("Kakao"), "facebook": _("Facebook")}


class AppError(Exception):
    """What a person is told. `reason`: for the log. `provider_code`: KOE code or Kakao's negative number."""

    status = 500
    code = "INTERNAL_ERROR"
    title: Any = _("Something went wrong")
    message: Any = _("This is our fault, and it has been noted. Please try again in a moment.")
    level = logging.INFO
    retry_after: int | None = None
    can_retry = True

    def __init__(self, reason: str = "", *, provider_code: str = "") -> None:
        super().__init__(reason or self.code)
        self.reason = reason
        self.provider_code = provider_code
        #: Addresses of the buttons on the page, filled in by the door that knows them: (label, address).
        self.actions: list[tuple[str, str]] = []

    def describe(self) -> str:
        return str(self.message)

    def details(self) -> dict[str, Any]:  # further members of the problem document
        return {}

    def arguments(self) -> dict[str, Any]:
        """What `recall` needs to say the same again."""
        return {"reason": self.reason, "provider_code": self.provider_code}

    def memo(self) -> dict[str, Any]:
        """This error as JSON values, for the second of two requests that ended alike."""
        return {"type": type(self).__name__, "arguments": self.arguments()}


def recall(memo: dict[str, Any]) -> AppError:
    """Make the error again that `memo` was taken from."""
    family = {AppError.__name__: AppError}
    todo = [AppError]
    while todo:
        for child in todo.pop().__subclasses__():
            family[child.__name__] = child
            todo.append(child)
    return family[memo["type"]](**memo["arguments"])


class InvalidRequest(AppError):
    status = 400
    code = "INVALID_REQUEST"
    title = _("This request is not complete")
    message = _("Please go back to the first page and try again from there.")


class MalformedCallback(InvalidRequest):
    level = logging.WARNING


class UnknownState(InvalidRequest):
    code = "UNKNOWN_STATE"
    title = _("This login is not known here")
    message = _(
        "It was already used, or it was begun in another browser. Nobody was logged in. Please begin again here."
    )
    level = logging.WARNING


class CookieLost(InvalidRequest):
    code = "COOKIE_LOST"
    title = _("Your browser came back without its cookie")
    message = _(
        "This happens when an app opens the page in another browser, or when cookies are switched off. "
        "Please open this site in your usual browser (Chrome, Safari, Samsung Internet) and log in there."
    )


class LoginExpired(InvalidRequest):
    code = "LOGIN_EXPIRED"
    title = _("The login took too long")
    message = _("For your safety a login must be finished within 10 minutes. Please try again.")


class CodeRefused(InvalidRequest):
    code = "CODE_REFUSED"
    title = _("The login could not be finished")
    message = _("Kakao says that this login was already used or has expired. Please try again.")


class ForgedForm(InvalidRequest):
    code = "FORM_EXPIRED"
    title = _("This form is out of date")
    message = _("Nothing was changed. Please go back, reload the page and try again.")


class LoginCancelled(AppError):
    status = 200
    code = "LOGIN_CANCELLED"
    title = _("You cancelled the login")
    message = _("Nothing was stored. You can try again whenever you like.")


class InteractionRequired(AppError):
    status = 403
    code = "INTERACTION_REQUIRED"
    title = _("Kakao needs you for a moment")
    message = _("Kakao wants to ask you something before it can log you in. Please press the button.")


class UnderAge(AppError):
    status = 403
    code = "UNDER_AGE"
    title = _("People under 14 cannot log in yet")
    message = _("Kakao asks a guardian to agree first. Please ask your guardian, then try again.")


class AccountUnusable(AppError):
    status = 403
    code = "ACCOUNT_UNUSABLE"
    title = _("Kakao does not let this account in")
    message = _("Please check your Kakao account in the KakaoTalk settings, or log in with another account.")


class EmailRequired(AppError):
    """`case` is the value of an `EmailState`; `consent` the items to ask for, where asking helps."""

    status = 403
    code = "EMAIL_REQUIRED"
    title = _("We need your e-mail address")
    CASES: ClassVar = {
        "not_configured": _("This site needs your e-mail address, but Kakao was not asked for it."),
        "not_agreed": _("You did not share your e-mail address. This site cannot make an account without it."),
        "absent": _("Your Kakao account has no e-mail address. Please add one in your Kakao account and try again."),
        "unverified": _(
            "The e-mail address of your Kakao account is not confirmed yet. "
            "Please confirm it in your Kakao account and try again."
        ),
        "expired": _(
            "The e-mail address of your Kakao account now belongs to another account. "
            "Please change it in your Kakao account and try again."
        ),
        "unusable": _("Kakao sent an e-mail address that cannot be used. Please check it in your Kakao account."),
    }

    def __init__(self, case: str, *, consent: Sequence[str] = ()) -> None:
        super().__init__(f"email {case}")
        self.case = case
        self.consent = tuple(consent)

    def arguments(self) -> dict[str, Any]:
        return {"case": self.case, "consent": list(self.consent)}

    def describe(self) -> str:
        return str(self.CASES[self.case])

    def details(self) -> dict[str, Any]:
        return {"required_scopes": list(self.consent), "case": self.case}


class EmailInUse(AppError):
    status = 409
    code = "EMAIL_IN_USE"
    title = _("This e-mail address already has an account")
    message = _("Please log in to that account the way you did before.")

    def __init__(self, provider: str) -> None:
        super().__init__("the trusted e-mail belongs to another account")
        self.provider = provider

    def arguments(self) -> dict[str, Any]:
        return {"provider": self.provider}

    def describe(self) -> str:
        if not self.provider:
            return str(self.message)
        label = str(PROVIDER_LABELS.get(self.provider, self.provider))
        return str(gettext("That account logs in with %(provider)s. Please log in there first.", provider=label))


class AccountDisabled(AppError):
    status = 403
    code = "ACCOUNT_DISABLED"
    title = _("This account is not available")
    message = _("Please contact the people who run this site.")
    can_retry = False


class UntrustedIdentity(AppError):
    status = 502
    code = "UNTRUSTED_IDENTITY"
    title = _("The login could not be verified")
    message = _("Kakao's answer did not pass our checks, so nobody was logged in. Please try again.")
    level = logging.ERROR


class Forbidden(AppError):
    status = 403
    code = "FORBIDDEN"
    title = _("This page is for other people")
    message = _("You are logged in, but your account may not open this page.")
    can_retry = False


class LastSuperuserStays(AppError):
    status = 409
    code = "LAST_SUPERUSER"
    title = _("This is the last superuser")
    message = _("Somebody must look after the site. Please make another superuser first, then try again.")
    can_retry = False


class NotFound(AppError):
    status = 404
    code = "NOT_FOUND"
    title = _("There is nothing here")
    message = _("The address may be mistyped, or the page is gone.")
    can_retry = False


class Misconfigured(AppError):
    code = "MISCONFIGURED"
    title = _("Login does not work at the moment")
    message = _("This is not your fault: the site's own settings need attention. The people who run it have been told.")
    level = logging.CRITICAL


class Unavailable(AppError):
    status = 503
    code = "UNAVAILABLE"
    title = _("This site is resting for a moment")
    message = _("Please try again in a few seconds.")
    level = logging.ERROR
    retry_after = 5


class ProviderUnavailable(Unavailable):
    code = "PROVIDER_UNAVAILABLE"
    title = _("Kakao does not answer at the moment")
    message = _("Nothing was lost and you did nothing wrong. Please try again in a minute.")
    retry_after = 60


class ProviderBusy(ProviderUnavailable):
    title = _("Kakao is slow at the moment")
    message = _("Many people are waiting for Kakao right now. Please try again in a few seconds.")
    level = logging.WARNING
    retry_after = 10


class SessionsUnavailable(Unavailable):
    code = "SESSIONS_UNAVAILABLE"
    title = _("Logging in is resting for a moment")
    message = _("Our session store (Redis) does not answer. You stay logged in; please try again in a few seconds.")


class DatabaseUnavailable(Unavailable):
    code = "DATABASE_UNAVAILABLE"
    title = _("The site is resting for a moment")
    message = _("Our database does not answer. Nothing was lost; please try again in a few seconds.")


def one_line(text: str, limit: int = 200) -> str:
    """Make text from outside harmless in a log: no line breaks, no terminal codes, bounded."""
    return "".join(char if char.isprintable() else "?" for char in text[:limit])
