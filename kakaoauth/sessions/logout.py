"""Logout in the database. The caller removes the session from Redis.

A logout must work while the database is away or takes no writes (a full disk, a standby). Then Redis ends the session,
the log has what the audit log misses, and the rest waits in Redis until the database is back.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from kakaoauth import audit
from kakaoauth.errors import DatabaseUnavailable
from kakaoauth.models import User
from kakaoauth.sessions import ended as ended_sessions
from kakaoauth.sessions import other_devices
from kakaoauth.sessions.revocation import revoke_all
from kakaoauth.signals import user_logged_out
from kakaoauth.storage import encryption
from kakaoauth.storage.columns import now
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.storage.transaction import after_commit, forget_transaction, transaction
from kakaoauth.tokens import flows as token_flows
from kakaoauth.tokens import refresh_tokens
from kakaoauth.tokens.revocation import RevocableTokens, pop_tokens, popped_tokens, revoke_at_provider

T = TypeVar("T")

log = logging.getLogger("kakaoauth.audit")


@dataclass(frozen=True)
class EndingSession:
    """A session that ends."""

    #: The session's name in Redis; empty if it is not stored.
    name: str
    #: When it would have ended anyway.
    until: datetime
    #: None if it cannot be read.
    user_id: int | None
    #: The row of `provider_tokens` of its login.
    token_id: int | None
    #: What an older version may have called it, while Redis cannot be asked.
    former_name: str = ""

    @property
    def names(self) -> list[str]:
        """All names by which it may come back."""
        return [name for name in (self.name, self.former_name) if name]


def end_session(
    session: EndingSession, *, action: str, away: bool = False, **details: Any
) -> list[RevocableTokens] | None:
    """Record the end of a session. Delete its provider's tokens and return them, so that the caller revokes them.

    None: the database took no write. Then the session is over only if Redis has removed it.

    :param action: its name in the audit log. :param away: this request found the database away already.
    """
    later = {"names": session.names, "until": session.until.timestamp(), "token": session.token_id}
    act = partial(_end_session, session, action, details)
    tokens, _ = _now_or_later(action, act, later, away=away, user=session.user_id)
    return tokens


@transaction
def _end_session(session: EndingSession, action: str, details: Mapping[str, Any]) -> list[RevocableTokens]:
    ended_sessions.remember(session.names, session.until)
    audit.record(action, target=session.user_id, actor=session.user_id, **details)
    if session.user_id is not None:
        after_commit(user_logged_out, user_id=session.user_id)
    return popped_tokens(token_id=session.token_id)


@transaction
def end_session_for(
    session: EndingSession, allowed: Callable[[], None], *, actor: int, reason: str
) -> list[RevocableTokens]:
    """End somebody else's session. Delete its provider's tokens and return them, so that the caller revokes them.

    :param allowed: raises if `actor` may not.
    """
    allowed()
    ended_sessions.remember([session.name], session.until)
    audit.record("device ended", target=session.user_id, actor=actor, reason=reason, kind="browser")
    after_commit(user_logged_out, user_id=session.user_id)
    return popped_tokens(token_id=session.token_id)


@transaction
def end_family_for(user_id: int, family_id: int, allowed: Callable[[], None], *, actor: int, reason: str) -> bool:
    """End the login of somebody else's app. False if they have none with this number. :param allowed: as above."""
    allowed()
    family = refresh_tokens.find(family_id)
    if family is None or family.user_id != user_id or not refresh_tokens.end(family_id):
        return False
    audit.record("device ended", target=user_id, actor=actor, reason=reason, kind="app")
    return True


def remember_ended(session: EndingSession) -> None:
    """Record the end of a session that another one has replaced in this browser."""
    if session.name and session.user_id is not None:
        details = {"names": session.names, "until": session.until.timestamp()}
        _now_or_later("session replaced", partial(_remember, session), details, user=session.user_id)


@transaction
def _remember(session: EndingSession) -> None:
    ended_sessions.remember(session.names, session.until)


def end_everywhere(session_user_id: str, *, away: bool = False) -> list[RevocableTokens]:
    """Log a user out everywhere, at their own request. Delete the provider's tokens of all their logins, return them.

    :param session_user_id: `User.get_id` of the session that asks. :param away: as for `end_session`.
    :raises DatabaseUnavailable: it can be neither done now nor kept for later.
    """
    user_id = int(session_user_id.partition(".")[0])

    def end() -> list[RevocableTokens]:
        _end_all(user_id)
        return pop_tokens(user_id=user_id)

    tokens, is_sure = _now_or_later("sessions ended", end, {"everywhere": session_user_id}, away=away, user=user_id)
    if not is_sure:
        raise DatabaseUnavailable("logout everywhere")
    return tokens or []


@transaction
def _end_all(user_id: int) -> None:
    if revoke_all(user_id):
        audit.record("sessions ended", target=user_id)


def end_others(user: User) -> str | None:
    """As `end_other_sessions`; None: the database took no write."""
    try:
        return other_devices.end_other_sessions(user)
    except SQLAlchemyError as error:
        forget_transaction()
        log.error("all other logins not ended in the database: %s", type(error).__name__)
        return None


def end_own_family(user_id: int, family_id: int, *, away: bool = False) -> None:
    """End the login of an app or front end, if it is this person's.

    :raises DatabaseUnavailable: as for `end_everywhere`.
    """
    later = {"family": family_id, "user": user_id}
    act = partial(other_devices.end_own_family, user_id, family_id)
    if not _now_or_later("device ended", act, later, away=away, user=user_id)[1]:
        raise DatabaseUnavailable("end of an app's login")


def end_family(token: str) -> None:
    """End the login that one of our tokens belongs to, an access token (also one that is over) or a refresh token.

    :raises DatabaseUnavailable: as for `end_everywhere`.
    """
    # Where the database cannot be read, nobody knows yet whether the token is genuine.
    later = {"sealed": encryption.encrypt(token)}
    if not _now_or_later("token family ended", partial(token_flows.end_family, token), later)[1]:
        raise DatabaseUnavailable("revocation")


def end_others_later(user_id: int, names: list[str], until: datetime) -> None:
    """Keep the end of a user's other sessions and token families for later; Redis has deleted the sessions.

    :param names: of those sessions. :param until: when they would have ended anyway.
    :raises DatabaseUnavailable: Redis cannot keep it.
    """
    if not _kept({"others_of": user_id, "names": names, "until": until.timestamp()}):
        raise DatabaseUnavailable("end of all other logins")


def _now_or_later(
    action: str,
    act: Callable[[], T],
    later: Mapping[str, Any],
    *,
    away: bool = False,
    user: int | None = None,
) -> tuple[T | None, bool]:
    """Return the result of `act` and True; else None, and whether `later` is kept until the database is back."""
    try:
        if not away:
            return act(), True
        why = "database away"
    except SQLAlchemyError as error:
        forget_transaction()
        why = type(error).__name__
    is_kept = _kept(later)
    log.error("%s user=%s, not in the database%s: %s", action, user, " yet" if is_kept else "", why)
    return None, is_kept


def _kept(later: Mapping[str, Any]) -> bool:
    try:
        ended_sessions.keep({**later, "at": now().timestamp()})
    except (*REDIS_ERRORS, OverflowError) as error:
        log.error("nor kept for later: %s", type(error).__name__)
        return False
    return True


def catch_up() -> int:
    """Write the ends that waited in Redis. Return how many there were.

    :raises SQLAlchemyError: the database is still away.
    """
    done = 0
    while (raw := ended_sessions.first()) is not None:
        try:
            _catch_up(ended_sessions.read(raw))
            done += 1
        except (ValueError, KeyError, TypeError, AttributeError, IntegrityError, DataError) as error:
            # An entry that can never be written must not block the others.
            forget_transaction()
            log.critical("waiting end of a login dropped, it cannot be done: %s", type(error).__name__)
        ended_sessions.drop(raw)
    return done


def _catch_up(end: Mapping[str, Any]) -> None:
    if "everywhere" in end:
        revoke_at_provider(_end_as_known(end["everywhere"]))
    if "names" in end:
        revoke_at_provider(_remember_late(end["names"], datetime.fromtimestamp(end["until"], UTC), end.get("token")))
    if "others_of" in end:
        _end_families_before(end["others_of"], datetime.fromtimestamp(end["at"], UTC))
    if "family" in end:
        other_devices.end_own_family(end["user"], end["family"])
    if "sealed" in end and (token := encryption.decrypt(end["sealed"])) is not None:
        token_flows.end_family(token)


@transaction
def _end_as_known(session_user_id: str) -> list[RevocableTokens]:
    """End all sessions of that session version, unless they were ended since."""
    user_id, version = (int(number) for number in session_user_id.split("."))
    if not revoke_all(user_id, User.session_version == version):
        return []
    audit.record("sessions ended", target=user_id)
    return popped_tokens(user_id=user_id)


@transaction
def _remember_late(names: list[str], until: datetime, token_id: int | None) -> list[RevocableTokens]:
    ended_sessions.remember(filter(None, names), until)
    return popped_tokens(token_id=token_id)


@transaction
def _end_families_before(user_id: int, moment: datetime) -> None:
    refresh_tokens.end_begun_before(user_id, moment)


@transaction
def prune_ended_sessions() -> int:
    """Delete a batch of ended sessions that are not needed any more. Return how many."""
    return ended_sessions.forget_old()
