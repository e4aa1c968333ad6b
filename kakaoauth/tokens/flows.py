"""Issue, refresh, verify and end our tokens. Their formats: `access_tokens`, `refresh_tokens`."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import ObjectDeletedError

from kakaoauth import audit
from kakaoauth.audit.visitors import NOBODY, Visitor
from kakaoauth.counting import active_users, counters
from kakaoauth.errors import ExpiredToken, InvalidAccessToken
from kakaoauth.models import User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.tokens import access_tokens, refresh_tokens, signing_keys
from kakaoauth.tokens.access_tokens import Claims
from kakaoauth.tokens.refresh_tokens import Presented, TokenFamily

log = logging.getLogger("kakaoauth.audit")

#: Seconds in which a used refresh token gives the same tokens again: for a client that has lost the answer, or a second
#: tab. A thief in that time gets the client's own tokens, which is noticed at the next refresh.
GRACE = 10


class TokenPair(NamedTuple):
    """Tokens of a login. `expires_in` and `refresh_expires_in` in seconds; `family_id` and `user_id` are no secrets."""

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int
    family_id: int
    user_id: int


class Bearer(NamedTuple):
    """The user of an access token, and when its login was."""

    user: User
    since: datetime


def issue_tokens(user: User, visitor: Visitor = NOBODY, *, proven_at: float | None = None) -> TokenPair:
    """Issue the first tokens of a login, and begin its family.

    :param visitor: browser and network. :param proven_at: when the person proved to the
        provider who they are, in unix seconds; None: as old as the login.
    :raises InvalidAccessToken: the account was erased since.
    """
    try:
        moment = datetime.fromtimestamp(min(max(proven_at, 0), time.time()), UTC) if proven_at is not None else None
        pair = _issue_tokens(user, visitor, moment)
    except (ObjectDeletedError, IntegrityError):
        raise InvalidAccessToken("the account was erased since the login") from None
    active_users.mark_active_app(pair.user_id)
    return pair


@transaction
def _issue_tokens(user: User, visitor: Visitor, proven_at: datetime | None) -> TokenPair:
    seconds = current_app.config["KAKAOAUTH_REFRESH_TOKEN_SECONDS"]
    db.session.add(user)  # who was read without it
    family = refresh_tokens.begin(
        user, seconds=seconds, longest=longest_login(user), visitor=visitor, proven_at=proven_at
    )
    if ended := refresh_tokens.end_beyond(user.id):
        # Counted and logged: a row in the audit trail for each would be one for each login of a script.
        counters.count("families_ended")
        log.info("too many logins that hold tokens user=%s ended=%s", user.id, ended)
    return _pair(family)


def longest_login(user: User) -> int:
    """Seconds a login may last, with the role that the user has now."""
    config = current_app.config
    longest: int = config["KAKAOAUTH_SESSION_MAX_SECONDS"]
    return min(longest, config["KAKAOAUTH_STAFF_SESSION_MAX_SECONDS"]) if user.is_staff else longest


def _ends_unused(family: TokenFamily) -> datetime:
    return min(family.expires_at, family.created_at + timedelta(seconds=longest_login(family.user)))


@transaction
def current_pair(family_id: int) -> TokenPair | None:
    """Return a login's current tokens again, for a browser that has lost them. None if the login is over."""
    found = refresh_tokens.find_now(family_id)
    if found is None or not refresh_tokens.is_valid(*found) or _ends_unused(found[0]) <= found[1]:
        return None
    return _pair(found[0])


def refresh(text: str, visitor: Visitor = NOBODY) -> TokenPair:
    """Issue the next pair for the refresh token `text`. :param visitor: browser and network.

    :raises ExpiredToken: it has expired, or its family was ended. :raises InvalidAccessToken: not one of ours, or used
        before: then the family is ended, because two hold the token, and one of them is a thief (RFC 9700).
    """
    presented = refresh_tokens.read(text)
    if presented is None:
        raise InvalidAccessToken("not a refresh token")
    outcome = _rotate(presented, visitor)
    if isinstance(outcome, TokenPair):
        active_users.mark_active_app(outcome.user_id)
        return outcome
    raise outcome


@transaction
def _rotate(presented: Presented, visitor: Visitor) -> TokenPair | InvalidAccessToken:
    """Return the next pair or the error. An error is not raised here: the end of a family must be committed."""
    found = refresh_tokens.find_now(presented.family_id)
    if found is None:
        return ExpiredToken("refresh token: no such family")
    family, moment = found
    if not refresh_tokens.is_ours(family, presented):
        return InvalidAccessToken("refresh token: never given out")
    if not refresh_tokens.is_valid(family, moment):
        return ExpiredToken("refresh token: family is over")
    if _ends_unused(family) <= moment:
        return ExpiredToken("refresh token")
    seconds = current_app.config["KAKAOAUTH_REFRESH_TOKEN_SECONDS"]
    if refresh_tokens.rotate(family, presented, moment, seconds=seconds, visitor=visitor):
        return _pair(refresh_tokens.find(presented.family_id) or family)
    found = refresh_tokens.find_now(presented.family_id)
    if found is None:
        return ExpiredToken("refresh token: ended meanwhile")
    family, moment = found
    if family.previous_hash == presented.hash and family.rotated_at > moment - timedelta(seconds=GRACE):
        return _pair(family)
    refresh_tokens.end(family.id)
    audit.record(
        "refresh token reused", target=family.user_id, level=logging.WARNING, family=family.id, agent=family.agent
    )
    return InvalidAccessToken("refresh token: used before")


def _pair(family: TokenFamily) -> TokenPair:
    config = current_app.config
    seconds = min(config["KAKAOAUTH_ACCESS_TOKEN_SECONDS"], max(1, int((family.ends_at - now()).total_seconds())))
    access_token = access_tokens.issue(
        _signing_key(), issuer=issuer(), user_id=family.user_id, family_id=family.id, seconds=seconds
    )
    left = max(0, int((family.expires_at - now()).total_seconds()))
    refresh_token = refresh_tokens.token_of(family, family.generation)
    return TokenPair(access_token, refresh_token, seconds, left, family.id, family.user_id)


def _signing_key() -> signing_keys.SigningKey:
    algorithm = current_app.config["KAKAOAUTH_ACCESS_TOKEN_ALGORITHM"]
    return signing_keys.newest(algorithm) or signing_keys.make(algorithm)


def issuer() -> str:
    """Return the `iss` claim: PUBLIC_URL, or an address on localhost."""
    config = current_app.config
    return str(config["PUBLIC_URL"] or f"http://localhost:{config['PORT']}")


def authenticate_bearer(access_token: str) -> Bearer:
    """Return the user of an access token, with their current rights, and when they logged in.

    :raises ExpiredToken: it has expired. :raises InvalidAccessToken: not genuine, or ended since.
    """
    return _authenticate_bearer(access_tokens.verify(access_token, issuer=issuer()))


def verify(access_token: str) -> Mapping[str, Any]:
    """Return the claims of an access token whose login is valid now.

    :raises ExpiredToken: :raises InvalidAccessToken: as `authenticate_bearer`.
    """
    claims = access_tokens.verify(access_token, issuer=issuer())
    _authenticate_bearer(claims)
    return claims.all


def _authenticate_bearer(claims: Claims) -> Bearer:
    found = refresh_tokens.find_bearer(claims.user_id, claims.family_id)
    if found is None:
        raise InvalidAccessToken("access token: ended")
    return Bearer(*found)


def end_family(text: str) -> None:
    """End the login of an access token, also an expired one, or of a refresh token (RFC 7009). Ignore other texts."""
    presented = refresh_tokens.read(text)
    if presented is not None:
        _end_presented(presented)
        return
    try:
        claims = access_tokens.verify(text, issuer=issuer(), also_expired=True)
    except InvalidAccessToken:
        return
    _end(claims.family_id)


@transaction
def _end_presented(presented: Presented) -> None:
    family = refresh_tokens.find(presented.family_id)
    if family is not None and refresh_tokens.is_ours(family, presented) and refresh_tokens.end(family.id):
        audit.record("token family ended", target=family.user_id, family=family.id)


@transaction
def _end(family_id: int) -> None:
    family = refresh_tokens.find(family_id)
    if family is not None and refresh_tokens.end(family_id):
        audit.record("token family ended", target=family.user_id, family=family_id)


@transaction
def rotate_signing_key(*, at_once: bool = False) -> str:
    """Make a new signing key and return its `kid`. Old keys verify until their last token has expired.

    :param at_once: old keys verify nothing any more, because one of them leaked.
    """
    config = current_app.config
    row = signing_keys.make(config["KAKAOAUTH_ACCESS_TOKEN_ALGORITHM"])
    signing_keys.retire_all_but(row.kid, 0 if at_once else config["KAKAOAUTH_ACCESS_TOKEN_SECONDS"])
    audit.record("signing key rotated", kid=row.kid, at_once=at_once)
    return row.kid
