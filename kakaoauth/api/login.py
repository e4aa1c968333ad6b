"""Logging an app in: with what a provider gave it, or with a local superuser's password."""

from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint
from flask.typing import ResponseReturnValue

from kakaoauth.accounts import closing
from kakaoauth.accounts.password_login import log_in_with_password
from kakaoauth.accounts.sign_in import Entry
from kakaoauth.api import kept_codes, provider_quota, sign_up, used_id_tokens
from kakaoauth.api.login_bodies import (
    AccessTokenLogin,
    CodeLogin,
    IdTokenLogin,
    Login,
    NativeCodeLogin,
    PasswordLogin,
)
from kakaoauth.api.operation import answer, operation
from kakaoauth.api.schemas import LoginOut
from kakaoauth.api.terms_schemas import SignUpAnswer
from kakaoauth.audit import visitors
from kakaoauth.counting import counters
from kakaoauth.errors import (
    AccountClosing,
    AccountDisabled,
    AccountUnusable,
    AppError,
    EmailInUse,
    EmailRequired,
    ExpiredToken,
    Forbidden,
    ForeignAccessToken,
    InteractionRequired,
    InvalidAccessToken,
    InvalidCredentials,
    InvalidFields,
    Misconfigured,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    RejoinBlocked,
    SessionsUnavailable,
    TermsRequired,
    Unavailable,
    UnderAge,
    UntrustedIdentity,
)
from kakaoauth.login.refusals import record_refusal
from kakaoauth.models import User
from kakaoauth.providers import get_provider
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import Profile
from kakaoauth.tokens import flows as token_flows
from kakaoauth.web import guards, rate_limits, redirects

#: What a provider gave an app.
Given = AccessTokenLogin | CodeLogin | NativeCodeLogin | IdTokenLogin
#: What works once at the provider.
Codes = CodeLogin | NativeCodeLogin

bp = Blueprint("login", __name__, url_prefix="/api")
bp.before_request(guards.anyone)


@bp.post("/auth/<provider>/")
@guards.guarded(rate_limits.per_address("api_login"))
@operation(
    "Log in with what a provider gave the app",
    body=Login,
    answers={200: LoginOut, 201: LoginOut},
    errors=(
        *(InvalidAccessToken, ExpiredToken, ForeignAccessToken, EmailRequired, AccountDisabled, AccountUnusable),
        *(UnderAge, InteractionRequired, Forbidden, NotFound, EmailInUse, RateLimited, Misconfigured),
        *(UntrustedIdentity, ProviderUnavailable, SessionsUnavailable, TermsRequired, AccountClosing, RejoinBlocked),
    ),
)
def provider_login(provider: str, body: Given) -> ResponseReturnValue:
    """201 for a person who is new here, 200 for a known one. Every refusal leaves nothing behind.

    503 is the provider's fault or ours, never a bad token: keep what you have and try again later. 500 is for the
    people who run the site, and 403 with FORBIDDEN as well: it lacks the setting that tells its app from others. An
    id_token logs in once. An account that its owner has closed is restored by `restore`. A code needs the nonce of
    its authorization request, if that had one, and never has this site's own callback address as its
    `redirect_uri`. TERMS_REQUIRED lists what the person has to agree to: send the same again, a code as well, with
    `agreed` and the ids that they have chosen, within 30 minutes; the same with `restore`.
    """
    chosen = get_provider(provider)
    # Providers' messages count whole seconds, so one of this second must not seem to come before the login.
    begun_at = datetime.now(UTC).replace(microsecond=0)
    kept = kept_codes.take(chosen.name, body) if isinstance(body, Codes) and _answers(body) else None
    begun_at = kept.begun_at if kept else begun_at
    try:
        profile = kept.profile if kept else _profile(chosen, body)
        with used_id_tokens.taken_once(body.id_token) if isinstance(body, IdTokenLogin) else nullcontext():
            entry = _entry(chosen, body, profile, begun_at, kept)
            response = _logged_in(entry, proven_at=begun_at.timestamp() if kept else profile.auth_time)
    except TermsRequired as error:
        sign_up.count(chosen, error=error, body=body)
        raise
    except AppError as error:
        error.provider = chosen.name
        record_refusal(error, chosen.name)
        raise
    if isinstance(body, AccessTokenLogin):
        provider_quota.remember_login(body.access_token, profile, entry.user, begun_at)
    counters.count_entry(chosen.name, "api", is_new=entry.is_new)
    sign_up.count(chosen, error=None, body=body)
    return response


@bp.post("/token/")
@guards.guarded(rate_limits.per_address("password"))
@operation(
    "Log in with a local superuser's password",
    body=PasswordLogin,
    answers={200: LoginOut},
    errors=(InvalidCredentials, AccountDisabled, AccountClosing, RateLimited, Unavailable, SessionsUnavailable),
)
def password_login(body: PasswordLogin) -> ResponseReturnValue:
    """For accounts made on the command line, on the day a provider is down."""
    user = rate_limits.by_password(body.email, lambda: _by_password(body))
    counters.count_entry("password", "api")
    return _logged_in(Entry(user, None))


def _answers(body: SignUpAnswer) -> bool:
    """Whether it may be the second call: what was asked before is answered."""
    return body.agreed is not None or body.fields is not None or body.restore


def _entry(
    provider: Provider, body: Given, profile: Profile, begun_at: datetime, kept: kept_codes.Kept | None
) -> Entry:
    """:raises AccountClosing, TermsRequired, InvalidFields: then the same code may come again.

    :raises AppError: as sign_up.log_in.
    """
    try:
        return sign_up.log_in(provider, body, profile, begun_at)
    except (AccountClosing, TermsRequired, InvalidFields):
        if isinstance(body, Codes):
            kept_codes.keep(provider.name, body, profile, begun_at, kept.until if kept else None)
        raise


def _by_password(body: PasswordLogin) -> User:
    """Log in; if the account is closed and the body says so, restore it first. :raises AccountClosing: it does not."""
    try:
        return log_in_with_password(body.email, body.password)
    except AccountClosing as error:
        if not body.restore or error.user_id is None:
            raise
        with suppress(NotFound):  # two apps at once: it is open by now
            closing.restore(error.user_id)
        return log_in_with_password(body.email, body.password)


def _profile(provider: Provider, body: Given) -> Profile:
    if isinstance(body, AccessTokenLogin):
        return provider_quota.profile_of_access_token(provider, body.access_token)
    if isinstance(body, IdTokenLogin):
        profile = provider.profile_of_id_token(body.id_token, nonce=body.nonce)
    else:
        if isinstance(body, CodeLogin) and redirects.is_own_callback(body.redirect_uri):
            # Its code belongs to a browser's login, which has a nonce and a verifier; here it would need neither.
            raise InvalidFields({"redirect_uri": "this site's own callback address: use one of the app's"})
        with provider_quota.asking(provider):
            profile = _profile_of_code(provider, body)
    provider_quota.count_person(profile)
    return profile


def _profile_of_code(provider: Provider, body: CodeLogin | NativeCodeLogin) -> Profile:
    ask = partial(provider.profile_of_code, body.code, code_verifier=body.code_verifier, nonce=body.nonce)
    if isinstance(body, NativeCodeLogin):
        return ask(redirect_uri="", client_id=body.client_id)
    return ask(redirect_uri=body.redirect_uri, state=body.state or "")


def _logged_in(entry: Entry, *, proven_at: float | None = None) -> ResponseReturnValue:
    user: User = entry.user
    pair = token_flows.issue_tokens(user, visitors.visitor(), proven_at=proven_at)
    body = {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_in": pair.expires_in,
        "user": user,
    }
    return answer(LoginOut, body, 201 if entry.is_new else 200)
