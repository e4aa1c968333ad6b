"""The users: oneself for everybody, all of them for staff, changes for superusers."""

from contextlib import suppress
from datetime import datetime

from flask import Blueprint, current_app, g
from flask.typing import ResponseReturnValue

from kakaoauth.accounts import devices, leaving, own_data, roles
from kakaoauth.accounts import profile as profiles
from kakaoauth.api.operation import ONESELF, ONESELF_AND_STAFF, STAFF, SUPERUSERS, answer, operation
from kakaoauth.api.own_data_schema import OwnDataOut
from kakaoauth.api.schemas import ProfileChange, SuspendedUserOut, UserChange, UserOut, UserQuery, UsersOut
from kakaoauth.days import LAST_DAY, start_of
from kakaoauth.errors import InvalidFields, LastSuperuser, NotFound
from kakaoauth.models import User, find_user
from kakaoauth.sessions import logout
from kakaoauth.staff import listing
from kakaoauth.staff.listing import filters
from kakaoauth.storage.columns import now
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.web import guards

bp = Blueprint("users", __name__, url_prefix="/api/users")
bp.before_request(guards.bearer)


@bp.get("/me/")
@operation("One's own account", answers={200: UserOut}, access=ONESELF)
def show_me() -> ResponseReturnValue:
    """Role and state are those of this moment, whatever the token says."""
    return answer(UserOut, _bearer())


@bp.patch("/me/")
@operation(
    "Change one's own profile",
    body=ProfileChange,
    answers={200: UserOut},
    access=ONESELF,
)
def change_me(body: ProfileChange) -> ResponseReturnValue:
    """Fields that are left out stay as they are."""
    return answer(UserOut, profiles.change_profile(_bearer().id, body.model_dump(exclude_unset=True)))


@bp.get("/me/data/")
@operation("Everything that is held about oneself", answers={200: OwnDataOut}, access=ONESELF.fresh())
def own_data_of_me() -> ResponseReturnValue:
    """One JSON object, part by part. Wants a login of the last 5 minutes."""
    document = own_data.export(_bearer().id)
    if document is None:
        raise NotFound
    return current_app.response_class(document, mimetype="application/json")


@bp.delete("/me/")
@operation(
    "Delete one's own account",
    answers={204: None},
    errors=(InvalidFields, LastSuperuser),
    access=ONESELF.fresh(),
)
def delete_me() -> ResponseReturnValue:
    """Here at once, and unlinked at the provider. App stores ask for this. Wants a login of the last 5 minutes.

    Where the site lets people come back, every session and token ends at once, and the rest follows when that time is
    over: until then a login is answered with ACCOUNT_CLOSING.
    """
    _delete(_bearer().id, by=None)
    return "", 204


@bp.post("/me/logout-everywhere/")
@operation("End every session and token of one's own", answers={204: None}, errors=(InvalidFields,), access=ONESELF)
def logout_everywhere() -> ResponseReturnValue:
    """The token that asks for it is over as well."""
    asked_as = _bearer().get_id()
    revocable = logout.end_everywhere(asked_as)
    devices.sweep(asked_as)
    token_revocation.revoke_at_provider(revocable)
    return "", 204


@bp.get("/")
@operation(
    "Search the users",
    query=UserQuery,
    answers={200: UsersOut},
    access=STAFF,
)
def index(query: UserQuery) -> ResponseReturnValue:
    """`q` is literal. `next` stays good while users come and go: nobody is skipped or shown twice."""
    chosen = filters.Filter(search=query.q)
    try:
        page = listing.page(chosen, sort=query.sort, cursor=query.cursor or None, limit=query.limit)
    except ValueError:
        raise InvalidFields({"cursor": "not one that was given out for this sort"}) from None
    return answer(UsersOut, {"items": page.users, "next": page.next})


@bp.get("/<int:user_id>/")
@operation("One user", answers={200: SuspendedUserOut}, errors=(NotFound,), access=ONESELF_AND_STAFF)
def show(user_id: int) -> ResponseReturnValue:
    """Other people's accounts do not exist for those who may not see them."""
    bearer = _bearer()
    user = find_user(user_id) if bearer.is_staff or bearer.id == user_id else None
    if user is None:
        raise NotFound
    return _answer_of(user)


@bp.patch("/<int:user_id>/")
@operation(
    "Change a user's role or state",
    body=UserChange,
    answers={200: SuspendedUserOut},
    errors=(NotFound, LastSuperuser),
    access=SUPERUSERS.fresh(),
)
def change(user_id: int, body: UserChange) -> ResponseReturnValue:
    """Takes effect on that user's next request. Wants a login of the last 5 minutes.

    `suspended_until` and `suspension_text` belong to a suspension: they change nothing for somebody who has none.
    """
    values = {**body.model_dump(), "suspended_until": _moment(body.suspended_until)}
    try:
        user = roles.change_user(user_id, by=_bearer().id, **values)
    except ValueError as error:
        raise InvalidFields({"is_staff": str(error)}) from None
    if user is None:
        raise NotFound
    return _answer_of(user)


def _answer_of(user: User) -> ResponseReturnValue:
    return answer(SuspendedUserOut if user.is_suspended else UserOut, user)


@bp.delete("/<int:user_id>/")
@operation(
    "Delete a user",
    answers={204: None},
    errors=(InvalidFields, NotFound, LastSuperuser),
    access=SUPERUSERS.fresh(),
)
def delete(user_id: int) -> ResponseReturnValue:
    """Wants a login of the last 5 minutes."""
    _delete(user_id, by=_bearer().id)
    return "", 204


def _moment(text: str | None) -> datetime | None:
    """:raises InvalidFields: no such day, not in the future, or at the calendar's end, where it has no local time."""
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text) if text else None
    if text and (moment is None or not now() < moment < start_of(LAST_DAY)):
        raise InvalidFields({"suspended_until": "not a moment in the future"})
    return moment


def _delete(user_id: int, *, by: int | None) -> None:
    if not leaving.delete_user(user_id, by=by):
        raise NotFound


def _bearer() -> User:
    user: User = g.bearer
    return user
