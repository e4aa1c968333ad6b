"""All errors that people are told about. How they are shown: `web.error_pages`.

    AppError                    what a person is told: status, code, title, message
    ├── InvalidRequest          400  a request that no page of ours makes
    │   ├── MalformedCallback   400  doubled, oversized or contradictory parameters
    │   ├── UnknownState        400  a login that this browser did not begin, or has finished
    │   ├── SessionOver         400  the session that asked has ended during the request
    │   │   ├── LinkEnded       400  the person who began to link is not logged in any more
    │   │   └── ConfirmationEnded 400  the same for a confirmation
    │   ├── CookieLost          400  the browser came back without its cookie
    │   ├── LoginExpired        400  the login took longer than ten minutes
    │   ├── TermsChanged        409  a term has another version than the one that was shown
    │   ├── SignUpExpired       400  nothing waits for an answer any more
    │   ├── CodeRefused         400  the provider no longer knows the authorization code
    │   └── ForgedForm          400  a form without this session's CSRF token, or from another site
    ├── InvalidFields           400  a body or query of the API that does not fit, with the fields
    ├── BodyTooLarge            413
    ├── InvalidAccessToken      401  not genuine, not for us, or of another kind
    │   ├── MissingToken        401  there is no token
    │   ├── ExpiredToken        401  genuine, but expired
    │   ├── ForeignAccessToken  401  a provider's token that was made for another app
    │   ├── FreshLoginRequired  401  genuine, but the login is too old for this call
    │   └── InvalidCredentials  401  unknown e-mail or wrong password; the message does not say which
    ├── LoginCancelled          200  the person cancelled at the provider
    ├── InteractionRequired     403  the provider wants to show a page first
    ├── UnderAge                403
    ├── AccountUnusable         403  the provider refuses this account
    ├── EmailRequired           403  `case`: see providers.values.EmailState
    ├── EmailInUse              409  `other`: that account's provider
    │   └── NotClaimable        409  that account has no identity and cannot be claimed
    ├── TermsRequired           403  `terms`: what has to be agreed to first
    ├── ConsentNeeded           409  a required consent cannot be withdrawn
    ├── IdentityInUse           409  another account logs in with it
    ├── AlreadyLinked           409  the account has another identity of this provider
    ├── EmailNotConfigured      409  the site's app at the provider has no e-mail to ask for
    ├── OtherAccount            403  a confirmation by an identity of another account
    ├── LoginNotRepeated        403  the provider did not ask for a new login
    ├── LastWayIn               409  without this identity the person could not log in any more
    │   └── TheirLastWayIn      409  the same, told to a superuser
    ├── RateLimited             429  with Retry-After
    ├── AccountDisabled         403
    ├── UntilThen               403  with a date
    │   ├── AccountClosing      403  closed by its owner, who may restore it until `erase_at`
    │   └── RejoinBlocked       403  they have left, and may sign up again from `until` on
    ├── UntrustedIdentity       502  the provider's answer is contradictory or not signed correctly
    │   └── ContradictoryAnswers 502 two answers are about different people
    ├── Forbidden               403
    │   ├── TokensNotTaken      403  the provider does not say for which app a token was made
    │   └── TokensNotSetUp      403  it does, and the site lacks the setting to compare it with
    ├── Refused                 403  a hook of the host's app says no, in its own words
    ├── EmbeddedBrowser         403  the browser inside another app, which the provider refuses
    ├── Tunnelled               403  the site with embedded parts, through a proxy
    ├── LastSuperuser           409  nobody could look after the site any more
    ├── NotFound                404
    ├── Misconfigured           500  the operator must act; the person learns that it is not their fault
    └── Unavailable             503  try again later, with Retry-After
        ├── ProviderUnavailable 503  the provider is down, slow, or answers nonsense
        ├── ProviderBusy        503  too many of our own calls to the provider are waiting
        ├── SessionsUnavailable 503  Redis does not answer
        ├── DatabaseUnavailable 503  the database does not answer
        ├── LoginInterrupted    503  the request that had the code did not finish
        └── LogoutUnfinished    503  neither Redis nor the database could record a logout

`reason` goes to the log and is written by us. Text from a provider or a browser is escaped there; tokens, codes and
`error_description` are never logged.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kakaoauth.translation import format_end, format_moment, gettext, lazy_gettext

_ = lazy_gettext

#: Names of the providers, and of an account there. A provider without a line goes by its own name.
PROVIDER_LABELS = {
    "kakao": _("Kakao"),
    "facebook": _("Facebook"),
    "naver": _("Naver"),
    "google": _("Google"),
    "apple": _("Apple"),
}
ACCOUNT_LABELS = {"kakao": _("Kakao account")}


def provider_label(name: str) -> str:
    """Return a provider's name for people, in their language."""
    return str(PROVIDER_LABELS.get(name, name.title()))


def title_of(code: str) -> Any:
    """Return the title of the error with this code; None if there is none."""
    found = [kind for kind in _family() if kind.code == code]
    return found[0].title if found else None


def is_code(code: str) -> bool:
    """Whether one of these errors has this code."""
    return any(kind.code == code for kind in _family())


def account_label(name: str) -> str:
    """Return the name of an account at a provider, for people."""
    found = ACCOUNT_LABELS.get(name)
    return str(found) if found else str(gettext("%(provider)s account", provider=provider_label(name)))


class AppError(Exception):
    """What a person is told. `reason`: for the log. `provider_code`: the provider's own code. `user_id`: the account,
    for the audit log only.

    `title` and `message` may contain `%(provider)s` and `%(account)s`, filled in from `provider`. Korean particles
    that change with the name cannot follow these; 에서, 의 and 에 can, and `%(account)s` always ends in 계정.
    """

    status = 500
    code = "INTERNAL_ERROR"
    title: Any = _("Something went wrong")
    message: Any = _("This is our fault. Please try again in a moment.")
    level = logging.INFO
    retry_after: int | None = None
    can_retry = True
    #: Only the people who run the site can do something about it: they are the page's main button.
    needs_contact = False
    #: The code under which it is counted, if not its own; and whether the provider's code is counted.
    counted_as = ""
    provider_code_counts = True

    def __init__(self, reason: str = "", *, provider_code: str = "", user_id: int | None = None) -> None:
        super().__init__(reason or self.code)
        self.user_id = user_id
        #: The provider this is about, set by who knows it; empty: none, or it is not known.
        self.provider = ""
        self.reason = reason
        self.provider_code = provider_code
        #: Buttons of the error page, set by the view: (label, URL).
        self.actions: list[tuple[str, str]] = []

    def said_by_browser(self) -> "AppError":
        """Mark an error that a browser brought in a provider's name. A visitor may have invented it, so it raises no
        alarm; the page is the same."""
        self.level = min(self.level, logging.WARNING)
        if self.status >= 500:  # an alarm's number
            self.counted_as = InvalidRequest.code
        self.provider_code_counts = False
        return self

    def heading(self) -> str:
        """Return the title with the provider's name."""
        return self._named(self.title)

    def describe(self) -> str:
        """Return the message with the provider's name."""
        return self._named(self.message)

    def _named(self, text: Any) -> str:
        provider = provider_label(self.provider) if self.provider else str(gettext("the login provider"))
        account = account_label(self.provider) if self.provider else str(gettext("account there"))
        said = str(text).replace("%(provider)s", provider).replace("%(account)s", account)
        return said[:1].upper() + said[1:]

    def details(self) -> dict[str, Any]:
        """Return further members of the problem document."""
        return {}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"reason": self.reason, "provider_code": self.provider_code, "user_id": self.user_id}

    def to_dict(self) -> dict[str, Any]:
        """Return this error as JSON values, for `from_dict`."""
        return {"type": type(self).__name__, "arguments": self.arguments(), "provider": self.provider}


def from_dict(data: dict[str, Any]) -> AppError:
    """Make the error of `AppError.to_dict` again. LoginInterrupted if another version has written it."""
    family = {kind.__name__: kind for kind in _family()}
    try:
        error = family[data["type"]](**data["arguments"])
    except (KeyError, TypeError):
        return LoginInterrupted("the result of the first request cannot be read")
    error.provider = data.get("provider", error.provider)
    return error


def _family() -> list[type[AppError]]:
    """Return all error classes, parents before their children."""
    family = [AppError]
    for kind in family:
        family += kind.__subclasses__()
    return family


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


class SessionOver(InvalidRequest):
    """The session that asked has ended during the request, and with it the right to ask."""


class LinkEnded(SessionOver):
    code = "LINK_ENDED"
    title = _("The connection was not finished")
    message = _(
        "Since it was begun you have logged out, or somebody else has logged in. Nothing was connected. "
        "Please log in and begin again on your page."
    )
    level = logging.WARNING


class ConfirmationEnded(SessionOver):
    code = "CONFIRMATION_ENDED"
    title = _("This confirmation was not finished")
    message = _(
        "Since it was begun you have logged out, or somebody else has logged in. Nothing was changed. "
        "Please log in and begin again on your page."
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
    message = _("%(provider)s says that this login was already used or has expired. Please try again.")


class ForgedForm(InvalidRequest):
    code = "FORM_EXPIRED"
    title = _("This page has expired")
    message = _("Nothing was changed. Please go back, reload the page and try again.")


class InvalidFields(InvalidRequest):
    """`fields`: what is wrong with each, in English: it is read by developers. Never what was sent."""

    title = _("This request does not fit")
    message = _("Some fields are missing, unknown or not as they must be.")

    def __init__(self, fields: Mapping[str, str]) -> None:
        # A field's name is its sender's: what does not look like one of ours stays out of the log.
        names = sorted(name for name in fields if len(name) <= 30 and name.replace("_", "").isalpha())
        super().__init__("fields " + " ".join(names))
        self.fields = dict(fields)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"fields": self.fields}

    def details(self) -> dict[str, Any]:
        """Return `fields`, for the problem document."""
        return {"fields": self.fields}


class BodyTooLarge(AppError):
    status = 413
    code = "BODY_TOO_LARGE"
    title = _("This request is too large")
    message = _("It was not read. Please send less.")
    can_retry = False


class InvalidAccessToken(AppError):
    status = 401
    code = "INVALID_ACCESS_TOKEN"
    title = _("This token is not valid here")
    message = _("Please log in again.")
    can_retry = False
    #: `error` of the WWW-Authenticate header; none if there was no token (RFC 6750, section 3).
    token_error = "invalid_token"  # noqa: S105


class MissingToken(InvalidAccessToken):
    token_error = ""


class ExpiredToken(InvalidAccessToken):
    code = "EXPIRED_TOKEN"
    title = _("This token has expired")


class ForeignAccessToken(InvalidAccessToken):
    code = "FOREIGN_ACCESS_TOKEN"
    title = _("This token belongs to another app")
    level = logging.WARNING


class FreshLoginRequired(InvalidAccessToken):
    """A refresh makes no login younger (RFC 9470). `max_age` in seconds: how old it may be."""

    code = "FRESH_LOGIN_REQUIRED"
    title = _("This needs a new login")
    message = _("For your safety, please log in again and repeat it within 5 minutes.")
    token_error = "insufficient_user_authentication"  # noqa: S105

    def __init__(self, max_age: int) -> None:
        super().__init__("the login is too old for this")
        self.max_age = max_age

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"max_age": self.max_age}


class InvalidCredentials(InvalidAccessToken):
    code = "INVALID_CREDENTIALS"
    title = _("E-mail address or password is wrong")
    message = _("Please check both and try again.")
    can_retry = True
    token_error = ""


class LoginCancelled(AppError):
    status = 200
    code = "LOGIN_CANCELLED"
    title = _("You cancelled the login")
    message = _("Nothing was stored. You can try again whenever you like.")


class InteractionRequired(AppError):
    status = 403
    code = "INTERACTION_REQUIRED"
    title = _("%(provider)s needs you for a moment")
    message = _("%(provider)s wants to ask you something before it can log you in. Please press the button.")


class UnderAge(AppError):
    status = 403
    code = "UNDER_AGE"
    title = _("People under 14 cannot log in yet")
    message = _("%(provider)s asks a guardian to agree first. Please ask your guardian, then try again.")
    can_retry = False


class AccountUnusable(AppError):
    status = 403
    code = "ACCOUNT_UNUSABLE"
    title = _("%(provider)s does not let this account in")
    can_retry = False
    message = _("Please check your %(account)s, or log in with another account.")
    #: Where people find their Kakao account.
    IN_KAKAOTALK = _("Please check your Kakao account in the KakaoTalk settings, or log in with another account.")

    def describe(self) -> str:
        """Return the message; for Kakao with the place to look."""
        return str(self.IN_KAKAOTALK) if self.provider == "kakao" else super().describe()


class EmailRequired(AppError):
    """`case` is the value of an `EmailState`; `consent` the items to ask for, where asking helps."""

    status = 403
    code = "EMAIL_REQUIRED"
    title = _("We need your e-mail address")
    CASES: ClassVar = {
        "not_configured": _(
            "This site needs your e-mail address, but it is not set up at %(provider)s to ask for it. "
            "Please tell the people who run this site."
        ),
        "not_said": _("%(provider)s did not send your e-mail address. This site cannot make an account without it."),
        "not_agreed": _("You did not share your e-mail address. This site cannot make an account without it."),
        "absent": _("Your %(account)s has no e-mail address. Please add one in your %(account)s and try again."),
        "unverified": _(
            "The e-mail address of your %(account)s is not confirmed yet. "
            "Please confirm it in your %(account)s and try again."
        ),
        "not_vouched": _(
            "%(provider)s does not say whether an e-mail address is yours, so no account can be made with it alone. "
            "Please log in another way first; on your page you can then link %(provider)s."
        ),
        "expired": _(
            "The e-mail address of your %(account)s now belongs to another account. "
            "Please change it in your %(account)s and try again."
        ),
        "unusable": _("%(provider)s sent an e-mail address that cannot be used. Please check it in your %(account)s."),
    }

    def __init__(self, case: str, *, consent: Sequence[str] = ()) -> None:
        super().__init__(f"email {case}")
        self.case = case
        self.consent = tuple(consent)
        self.needs_contact = case == "not_configured"
        #: Whether the person can mend it in their account at the provider, and then try again.
        self.is_mended_there = case in ("absent", "unverified", "expired", "unusable")
        self.can_retry = case in ("not_said", "not_agreed")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"case": self.case, "consent": list(self.consent)}

    def describe(self) -> str:
        """Return the message of the case."""
        return self._named(self.CASES[self.case])

    def details(self) -> dict[str, Any]:
        """Return `required_scopes` and `case`, for the problem document."""
        return {"required_scopes": list(self.consent), "case": self.case}


class EmailInUse(AppError):
    """`other`: the provider that account logs in with; empty if it has none yet."""

    status = 409
    code = "EMAIL_IN_USE"
    title = _("This e-mail address already has an account")
    message = _("Please log in to that account the way you did before.")
    TWIN = _("It was made with another %(account)s. Please log in with that one.")
    can_retry = False

    def __init__(self, other: str) -> None:
        super().__init__("the trusted e-mail belongs to another account")
        self.other = other

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"other": self.other}

    def details(self) -> dict[str, Any]:
        """Return the other account's provider, for the problem document."""
        return {"provider": self.other} if self.other else {}

    def describe(self) -> str:
        """Return the message, with the other account's provider if it is known."""
        if not self.other:
            return str(self.message)
        if self.other == self.provider:
            return self._named(self.TWIN)
        label = provider_label(self.other)
        return str(gettext("That account logs in with %(provider)s. Please log in there first.", provider=label))


class NotClaimable(EmailInUse):
    """Only a command opens it: `users promote`, `users reopen`."""

    needs_contact = True
    message = _(
        "No sign-in method is connected to that account. Please ask the people who run this site to open it for you."
    )

    def __init__(self, reason: str = "", *, provider_code: str = "", user_id: int | None = None) -> None:
        AppError.__init__(self, reason, provider_code=provider_code, user_id=user_id)
        self.other = ""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return AppError.arguments(self)


class TermsRequired(AppError):
    """`terms`: what may be agreed to, each as `Term.to_dict`. `is_new`: there is no account yet."""

    status = 403
    code = "TERMS_REQUIRED"
    title = _("Please agree to the terms first")
    message = _("Nobody was logged in and nothing was stored. Please agree to what is required, then try again.")

    def __init__(self, terms: Sequence[Mapping[str, Any]], *, is_new: bool = True) -> None:
        super().__init__(f"terms {' '.join(str(term.get('id')) for term in terms)}".rstrip())
        self.terms = [dict(term) for term in terms]
        self.is_new = is_new

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"terms": self.terms, "is_new": self.is_new}

    def details(self) -> dict[str, Any]:
        """Return `terms`, for the problem document."""
        return {"terms": self.terms}


class TermsChanged(InvalidRequest):
    status = 409
    code = "TERMS_CHANGED"
    title = _("These terms have changed")
    message = _("Nothing was stored. Please read them again: there is a new version by now.")


class SignUpExpired(InvalidRequest):
    code = "SIGN_UP_EXPIRED"
    title = _("This sign-up is not open any more")
    message = _(
        "It was finished or cancelled, it was begun in another browser, or it has waited for more than 30 minutes. "
        "Nothing was stored. Please log in again."
    )


class ConsentNeeded(AppError):
    status = 409
    code = "CONSENT_NEEDED"
    title = _("No account can be without this consent")
    message = _("To withdraw it, delete your account. Nothing was changed.")
    can_retry = False


class IdentityInUse(AppError):
    status = 409
    code = "IDENTITY_IN_USE"
    title = _("This login is already in use")
    message = _("Another account here logs in with it, so it cannot be connected to yours. Nothing was changed.")
    can_retry = False


class AlreadyLinked(AppError):
    status = 409
    code = "ALREADY_LINKED"
    title = _("%(provider)s is already connected to your account")
    message = _(
        "An account has one sign-in method of each kind. To use another %(account)s, disconnect the present one first. "
        "Nothing was changed."
    )
    can_retry = False


class EmailNotConfigured(AppError):
    status = 409
    code = "EMAIL_NOT_CONFIGURED"
    title = _("This site cannot ask for your e-mail address yet")
    message = _(
        "It is not set up for that at %(provider)s. You can go on without it, or tell the people who run this site."
    )
    can_retry = False


class OtherAccount(AppError):
    status = 403
    code = "OTHER_ACCOUNT"
    title = _("That was another account")
    message = _(
        "You are still logged in here, and nothing was changed. "
        "To confirm that it is you, please use a sign-in method of this account."
    )
    level = logging.WARNING


class LoginNotRepeated(AppError):
    status = 403
    code = "LOGIN_NOT_REPEATED"
    title = _("%(provider)s did not ask you to log in again")
    message = _(
        "So we cannot be sure that it is you, and nothing was changed. The browsers inside some apps skip that step: "
        "please open this site in your usual browser (Chrome, Safari, Samsung Internet) and try again there."
    )


class LastWayIn(AppError):
    status = 409
    code = "LAST_WAY_IN"
    title = _("This is your only sign-in method")
    message = _("Connect another sign-in method first; without one you could not come back. Nothing was changed.")
    can_retry = False


class TheirLastWayIn(LastWayIn):
    title = _("This is their only sign-in method")
    message = _("Without it this person could not come back. To close the account, delete it. Nothing was changed.")


class RateLimited(AppError):
    """`retry_after` in seconds."""

    status = 429
    code = "RATE_LIMITED"
    title = _("Too many attempts")
    message = _("Please wait a moment, then try again.")
    level = logging.WARNING

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"wait {retry_after} s")
        self.retry_after = retry_after

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"retry_after": self.retry_after}

    def describe(self) -> str:
        """Return the message, with the minutes to wait."""
        minutes = -(-(self.retry_after or 0) // 60)
        if minutes < 2:
            return str(self.message)
        return str(gettext("Please try again in %(minutes)s minutes.", minutes=minutes))


class AccountDisabled(AppError):
    status = 403
    code = "ACCOUNT_DISABLED"
    title = _("This account is not available")
    message = _("Please contact the people who run this site.")
    can_retry = False
    needs_contact = True

    def __init__(self, reason: str = "", *, until: str = "", text: str = "", **more: Any) -> None:
        super().__init__(reason, **more)
        #: When the suspension ends by itself, as ISO 8601; and what a superuser wrote to the person.
        self.until, self.text = until, text

    @classmethod
    def of(cls, user: Any) -> "AccountDisabled":
        """Return the error for a suspended user."""
        until = user.suspended_until.isoformat() if user.suspended_until else ""
        return cls(f"user {user.id} is suspended", user_id=user.id, until=until, text=user.suspension_text or "")

    def describe(self) -> str:
        """Return what the superuser wrote, and when the suspension ends; else whom to turn to."""
        end = ""
        if self.until:
            day = format_end(datetime.fromisoformat(self.until))
            end = gettext("You are suspended through %(day)s (Korean time). After that you can log in again.", day=day)
        return " ".join(filter(None, (self.text, end))) or super().describe()

    def details(self) -> dict[str, Any]:
        """Return when it ends, if it does."""
        return {"suspended_until": self.until} if self.until else {}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {**super().arguments(), "until": self.until, "text": self.text}


class UntilThen(AppError):
    """An error with a date: `when` in ISO 8601."""

    status = 403
    can_retry = False
    #: The date's name in the problem document.
    date_name = "until"

    def __init__(self, when: str, *, user_id: int | None = None) -> None:
        super().__init__(f"until {when}", user_id=user_id)
        self.when = when

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as JSON values."""
        return {"when": self.when, "user_id": self.user_id}

    def details(self) -> dict[str, Any]:
        """Return the date, for the problem document."""
        return {self.date_name: self.when}

    def describe(self) -> str:
        """Return the message with the date as it is in Korea."""
        return super().describe().replace("%(moment)s", format_moment(datetime.fromisoformat(self.when)))


class AccountClosing(UntilThen):
    code = "ACCOUNT_CLOSING"
    date_name = "erase_at"
    title = _("You have closed this account")
    message = _("It will be erased on %(moment)s. Until then you can restore it, and find everything as it was.")


class RejoinBlocked(UntilThen):
    code = "REJOIN_BLOCKED"
    title = _("You cannot sign up again yet")
    message = _("You have deleted your account here. You can sign up again from %(moment)s.")


class UntrustedIdentity(AppError):
    status = 502
    code = "UNTRUSTED_IDENTITY"
    title = _("The login could not be verified")
    message = _("%(provider)s's answer did not pass our checks, so nobody was logged in. Please try again.")
    level = logging.ERROR


class ContradictoryAnswers(UntrustedIdentity):
    """Two answers of a provider are about different people; the caller's token is not at fault."""


class Forbidden(AppError):
    status = 403
    code = "FORBIDDEN"
    title = _("You don't have access")
    message = _("You are logged in, but your account may not open this page.")
    can_retry = False


class Refused(AppError):
    """For a host's hooks, and for its pages: what to tell the person."""

    status = 403
    code = "REFUSED"
    title = _("This is not possible here")
    message: Any = _("The people who run this site do not allow it.")
    can_retry = False

    def __init__(self, message: str = "", **told: Any) -> None:
        """:param message: plain text for the person, in their language. It is not logged."""
        super().__init__("refused by the host's app", user_id=told.get("user_id"))
        if message:
            self.message = message

    def arguments(self) -> dict[str, Any]:
        """As `AppError.arguments`."""
        return {"message": str(self.__dict__.get("message", "")), "user_id": self.user_id}


class TokensNotTaken(Forbidden):
    """The provider does not prove for which app a token was made: one of another app would open an account here."""

    title = _("Tokens of %(provider)s are not taken here")
    message = _(
        "%(provider)s does not say for which app a token was made, so it proves nothing. Send the code of an "
        "authorization request instead."
    )


class TokensNotSetUp(Forbidden):
    title = TokensNotTaken.title
    message = _("This site is not set up for them. Please contact the people who run it.")


class EmbeddedBrowser(AppError):
    """The browser inside another app, which the provider refuses."""

    status = 403
    code = "EMBEDDED_BROWSER"
    title = _("%(provider)s does not work inside this app")
    message = _(
        "%(provider)s lets nobody log in inside another app. Please open this page in your own browser "
        "(Chrome, Safari, Samsung Internet) and log in there."
    )
    can_retry = False


class Tunnelled(AppError):
    status = 403
    code = "TUNNELLED"
    title = _("This copy of the site is for one machine only")
    message = _(
        "Your request came through a proxy or a tunnel, and here everybody may log in as anybody. Open the site as "
        "http://localhost on the machine it runs on, or bring its port to yours with ssh -L. To let others in, set "
        "KAKAO_CLIENT_ID and REDIS_URL."
    )
    level = logging.WARNING
    can_retry = False


class LastSuperuser(AppError):
    """The last active superuser with a way in cannot be demoted, suspended or deleted: nobody could undo it."""

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
    message = _("The site's own settings need attention. Please tell the people who run it.")
    can_retry = False
    needs_contact = True
    level = logging.CRITICAL


class Unavailable(AppError):
    status = 503
    code = "UNAVAILABLE"
    title = _("The site is not available right now")
    message = _("Please try again in a few seconds.")
    level = logging.ERROR
    retry_after = 5


class ProviderUnavailable(Unavailable):
    code = "PROVIDER_UNAVAILABLE"
    title = _("%(provider)s does not answer at the moment")
    message = _("This is temporary. Please try again in a minute.")
    retry_after = 60


class ProviderBusy(ProviderUnavailable):
    title = _("%(provider)s is slow at the moment")
    message = _("Many people are waiting for %(provider)s right now. Please try again in a few seconds.")
    level = logging.WARNING
    retry_after = 10
    counted_as = "PROVIDER_BUSY"  # one visitor can cause it


class SessionsUnavailable(Unavailable):
    code = "SESSIONS_UNAVAILABLE"
    title = _("You cannot log in right now")
    message = _("Our session store (Redis) does not answer. Logins are kept; please try again in a few seconds.")


class DatabaseUnavailable(Unavailable):
    code = "DATABASE_UNAVAILABLE"
    title = _("The site is not available right now")
    message = _("Our database cannot do this right now. Nothing was lost; please try again in a few seconds.")


class LoginInterrupted(Unavailable):
    """The request that had the code did not end: its process died, or was stopped."""

    code = "LOGIN_INTERRUPTED"
    title = _("Your login was interrupted")
    message = _(
        "It stopped on our side before it was finished, so we cannot say whether you are logged in. "
        "Please try again; nothing is lost."
    )
    retry_after = 1


class LogoutUnfinished(Unavailable):
    code = "LOGOUT_UNFINISHED"
    title = _("You are logged out in this browser only")
    message = _(
        "Our servers could not be told, so a copy of this login would still work. "
        "Please log in again in a few minutes and choose to log out everywhere."
    )


def one_line(text: str, limit: int = 200) -> str:
    """Make text from outside harmless in a log: no line breaks, no terminal codes, bounded."""
    text = text[:limit]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
