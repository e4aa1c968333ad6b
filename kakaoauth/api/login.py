"""Logging an app in: with what a provider gave it, or with a local superuser's password."""

from datetime import UTC, datetime

from flask import Blueprint, abort, current_app
from flask.typing import ResponseReturnValue

from kakaoauth import counters, edge, flows, guards, provider_quota, providers, rate_limits
from kakaoauth.api.operation import answer, operation
from kakaoauth.api.schemas import AccessTokenLogin, CodeLogin, IdTokenLogin, Login, LoginOut, PasswordLogin
from kakaoauth.errors import (
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
    Misconfigured,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    SessionsUnavailable,
    Unavailable,
    UnderAge,
    UntrustedIdentity,
)
from kakaoauth.flows import Entry
from kakaoauth.models import User
from kakaoauth.providers.base import CONSENT_FOR_EMAIL, Profile, Provider
from kakaoauth.refusals import record_refusal

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
        *(UntrustedIdentity, ProviderUnavailable, SessionsUnavailable),
    ),
)
def provider_login(provider: str, body: AccessTokenLogin | CodeLogin | IdTokenLogin) -> ResponseReturnValue:
    """201 for a person who is new here, 200 for a known one. Every refusal leaves nothing behind.

    503 is the provider's fault or ours, never a bad token: keep what you have and try again later. 500 is for the
    people who run the site, and 403 with FORBIDDEN as well: it lacks the setting that tells its app from others.
    """
    chosen = providers.find_provider(provider)
    if chosen is None:
        abort(404)
    begun_at = datetime.now(UTC)
    try:
        profile = _profile(chosen, body)
        entry = flows.log_in(
            profile,
            email_required=current_app.config["EMAIL_REQUIRED"],
            consent_for_email=CONSENT_FOR_EMAIL,
            begun_at=begun_at,
        )
    except AppError as error:
        error.provider = chosen.name
        record_refusal(error, chosen.name)
        raise
    if isinstance(body, AccessTokenLogin):
        provider_quota.remember_login(body.access_token, profile, entry.user, begun_at)
    counters.count_entry(chosen.name, "api", is_new=entry.is_new)
    return _logged_in(entry)


@bp.post("/token/")
@guards.guarded(rate_limits.per_address("password"))
@operation(
    "Log in with a local superuser's password",
    body=PasswordLogin,
    answers={200: LoginOut},
    errors=(InvalidCredentials, AccountDisabled, RateLimited, Unavailable, SessionsUnavailable),
)
def password_login(body: PasswordLogin) -> ResponseReturnValue:
    """For accounts made on the command line, on the day a provider is down."""
    user = rate_limits.by_password(body.email, lambda: flows.log_in_with_password(body.email, body.password))
    counters.count_entry("password", "api")
    return _logged_in(Entry(user, None))


def _profile(provider: Provider, body: AccessTokenLogin | CodeLogin | IdTokenLogin) -> Profile:
    if isinstance(body, AccessTokenLogin):
        return provider_quota.profile_of_access_token(provider, body.access_token)
    if isinstance(body, IdTokenLogin):
        profile = provider.profile_of_id_token(body.id_token, nonce=body.nonce)
    else:
        with provider_quota.asking(provider):
            profile = provider.profile_of_code(
                body.code, body.redirect_uri, code_verifier=body.code_verifier, nonce=body.nonce
            )
    provider_quota.count_person(profile)
    return profile


def _logged_in(entry: Entry) -> ResponseReturnValue:
    user: User = entry.user
    pair = flows.begin_family(user, edge.visitor())
    body = {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_in": pair.expires_in,
        "user": user,
    }
    return answer(LoginOut, body, 201 if entry.is_new else 200)
