"""The login of somebody who is known, of whom the provider says nothing new: one statement reads, one writes.

Everybody else goes the long way, `sign_in.log_in`, which means the same. So does whoever loses a race here.
"""

from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from flask import current_app
from sqlalchemy import (
    CTE,
    Connection,
    Insert,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import class_mapper
from sqlalchemy.orm.util import identity_key

from kakaoauth import audit, terms
from kakaoauth.accounts.sign_in import Entry, news
from kakaoauth.audit import AuditEvent
from kakaoauth.models import Identity, User
from kakaoauth.providers.values import Profile
from kakaoauth.signals import user_logged_in
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db, each_by_itself, give_back
from kakaoauth.storage.direct import Direct
from kakaoauth.storage.quick_read import NotQuickly, join, made
from kakaoauth.storage.transaction import commit_on, lost_a_race, tell
from kakaoauth.tokens import provider_tokens
from kakaoauth.tokens.provider_tokens import ProviderToken

USERS, IDENTITIES, TOKENS, TRAIL = (
    model.metadata.tables[model.__tablename__] for model in (User, Identity, ProviderToken, AuditEvent)
)


class KnownLogin:
    """One login. It keeps its connection from reading to writing, and `close` gives it back."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._email_required: bool = current_app.config["KAKAOAUTH_EMAIL_REQUIRED"]
        self._fresh = timedelta(seconds=current_app.config["KAKAOAUTH_PROFILE_REFRESH_SECONDS"])
        self._connection: Connection | Direct | None = None
        self._row: Any = None
        self._subject = ""

    def close(self) -> None:
        """Give the connection back, and forget who was read."""
        self._row = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close() if isinstance(connection, Direct) else give_back(connection)

    def is_enough(self, brief: Profile) -> bool | None:
        """Whether an id_token says all there is to know: what is stored was read a short while ago, and it says
        nothing else. None: they are unknown. See `PendingLogin.is_enough_of`.
        """
        row = self._read(brief.subject)
        if row is None:
            self.close()
            return None
        age = now() - row.profile_read_at if row.profile_read_at else self._fresh
        if timedelta(0) <= age < self._fresh and self._is_plain(row, brief):
            return True
        self.close()  # the provider may take seconds
        return False

    def log_in(self, profile: Profile) -> Entry | None:
        """Record the login; None, and nothing is done: go the long way."""
        row = self._row if self._subject == profile.subject else None
        row = row or self._read(profile.subject)
        if row is None or not self._is_plain(row, profile) or _is_in_transaction():
            self.close()  # the long way has one of its own
            return None
        moment = now()
        if isinstance(self._connection, Connection) and terms.lacks_required(self._connection, row.id):
            self.close()
            return None
        try:
            token_id, is_done = self._write(row, profile, moment)
        except (IntegrityError, OperationalError) as error:
            if lost_a_race(error):
                return None
            raise
        finally:
            self.close()
        if not is_done:
            return None
        audit.tell("login", target=row.id, provider=self._provider, new=False)
        tell(user_logged_in, user_id=row.id, provider=self._provider, is_new=False)
        return Entry(_user_of(row, last_login=moment), token_id)

    def _is_plain(self, row: Row[Any], profile: Profile) -> bool:
        """Whether nothing but the login itself is to be stored, and nothing can refuse it."""
        leads = row.provider in (None, self._provider)
        lacks_email = row.email is None and (self._email_required or bool(profile.email))
        return row.is_active and not lacks_email and not news(row, profile, leads=leads)

    def _read(self, subject: str) -> Any:
        self._subject, who = subject, {"provider_": self._provider, "subject_": subject}
        try:
            if self._connection is None and not terms.asked():
                self._connection = Direct(db.engine)
            if isinstance(self._connection, Direct):
                self._row = self._connection.first(_reading(), who)
                return self._row
        except NotQuickly:
            self.close()
        if self._connection is None:
            self._connection = each_by_itself(db.engine)
        assert isinstance(self._connection, Connection)
        self._row = self._connection.execute(_reading(), who).first()
        return self._row

    def _write(self, row: Row[Any], profile: Profile, moment: datetime) -> tuple[int | None, bool]:
        """Return the id of the `provider_tokens` row, if there is one, and whether the person still is who was read."""
        assert self._connection is not None
        values = {
            "user_": row.id,
            "version_": row.session_version,
            "identity_": row.identity_id,
            "provider_": self._provider,
            "subject_": profile.subject,
            "moment_": moment,
            "confirmed_": profile.confirmed_at,
            "read_": None if profile.is_brief else profile.confirmed_at,
            **{f"a_{name}": value for name, value in self._event(row.id, moment).items()},
        }
        if profile.tokens:
            values |= {f"t_{name}": value for name, value in provider_tokens.row_of(profile.tokens).items()}
        if isinstance(self._connection, Direct):
            found = self._connection.first(_all(has_tokens=bool(profile.tokens)), values)
            return (found[1], True) if found is not None else (None, False)
        run = _together if self._connection.dialect.name == "postgresql" else _one_by_one
        written = run(self._connection, values, has_tokens=bool(profile.tokens))
        commit_on(self._connection)
        return written

    def _event(self, user_id: int, moment: datetime) -> dict[str, Any]:
        return {"at": moment, **audit.row_of("login", target=user_id, provider=self._provider, new=False)}


def _is_in_transaction() -> bool:
    return db.session.registry.has() and db.session().in_transaction()


def _user_of(row: Row[Any], **changed: Any) -> User:
    """Return the user that was read. If this app context has no database session yet, none is begun, which takes longer
    than the reading: then it is detached."""
    session = db.session() if db.session.registry.has() else None
    known = session.identity_map.get(identity_key(User, row.id)) if session else None
    if isinstance(known, User):  # a receiver of the signal has loaded it
        return known
    user = made(class_mapper(User), _columns(), row)  # the mapper that is ready: nothing may have used it before
    user.__dict__.update(changed)
    join(session, user)
    return user


@cache
def _columns() -> tuple[str, ...]:
    return tuple(column.name for column in USERS.columns)


@cache
def _reading() -> Select[Any]:
    of_identity = (IDENTITIES.c.id.label("identity_id"), IDENTITIES.c.profile_read_at)
    both = select(*USERS.columns, *of_identity).join(IDENTITIES, IDENTITIES.c.user_id == USERS.c.id)
    return both.where(IDENTITIES.c.provider == bindparam("provider_"), IDENTITIES.c.subject == bindparam("subject_"))


@cache
def _user_update() -> Update:
    same = update(USERS).where(USERS.c.id == bindparam("user_"), USERS.c.session_version == bindparam("version_"))
    return same.where(USERS.c.is_active).values(last_login=bindparam("moment_"))


@cache
def _identity_update() -> Update:
    told = bindparam("confirmed_", type_=IDENTITIES.c.confirmed_at.type)
    is_later = or_(IDENTITIES.c.confirmed_at.is_(None), IDENTITIES.c.confirmed_at < told)
    read = bindparam("read_", type_=IDENTITIES.c.profile_read_at.type)
    same = update(IDENTITIES).where(
        IDENTITIES.c.id == bindparam("identity_"),
        IDENTITIES.c.provider == bindparam("provider_"),
        IDENTITIES.c.subject == bindparam("subject_"),
    )
    return same.values(
        confirmed_at=case((is_later, told), else_=IDENTITIES.c.confirmed_at),
        profile_read_at=func.coalesce(read, IDENTITIES.c.profile_read_at),
    )


def _insert_of(table: Table, prefix: str, source: CTE) -> Insert:
    """An insert of one row, if `source` has one: of its id where the row belongs to it."""
    columns = [column for column in table.columns if column.name != "id"]
    values: list[Any] = [
        source.c.id if column.name == "identity_id" else bindparam(f"{prefix}{column.name}", type_=column.type)
        for column in columns
    ]
    return insert(table).from_select(columns, select(*values).select_from(source), include_defaults=False)


@cache
def _all(*, has_tokens: bool) -> Select[Any]:
    """The whole of it as one statement, in PostgreSQL's way: each part acts only if the one before it has."""
    user = _user_update().returning(USERS.c.id).cte("u")
    identity = _identity_update().where(IDENTITIES.c.user_id == select(user.c.id).scalar_subquery())
    same = identity.returning(IDENTITIES.c.id).cte("i")
    event = _insert_of(TRAIL, "a_", same).cte("a")
    if not has_tokens:
        return select(same.c.id, select(func.null()).scalar_subquery()).add_cte(event)
    token = _insert_of(TOKENS, "t_", same).returning(TOKENS.c.id).cte("t")
    return select(same.c.id, select(token.c.id).scalar_subquery()).add_cte(event)


def _together(connection: Connection, values: dict[str, Any], *, has_tokens: bool) -> tuple[int | None, bool]:
    found = connection.execute(_all(has_tokens=has_tokens), values).first()
    return (found[1], True) if found is not None else (None, False)


def _one_by_one(connection: Connection, values: dict[str, Any], *, has_tokens: bool) -> tuple[int | None, bool]:
    """The same in one transaction, for SQLite."""
    run = partial(connection.execute, parameters=values)
    mine = IDENTITIES.c.user_id == bindparam("user_")
    if not (_rows(run(_user_update())) and _rows(run(_identity_update().where(mine)))):
        connection.rollback()
        return None, False
    token_id = None
    if has_tokens:
        token = {name.removeprefix("t_"): value for name, value in values.items() if name.startswith("t_")}
        done = connection.execute(insert(TOKENS).values(identity_id=values["identity_"], **token))
        (token_id,) = done.inserted_primary_key or (None,)
    event = {name.removeprefix("a_"): value for name, value in values.items() if name.startswith("a_")}
    connection.execute(insert(TRAIL).values(event))
    return token_id, True


def _rows(result: Any) -> int:
    return int(result.rowcount)
