"""What superusers do to many users at once: one page that asks, and for each user the same as for one alone.

Each user is a transaction of their own, with an audit event of its own: who cannot be changed (the last superuser, or
somebody whom another has changed meanwhile) is named, and the others are done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from kakaoauth.accounts import devices, roles
from kakaoauth.errors import LastSuperuser
from kakaoauth.models import User
from kakaoauth.staff.action_texts import ACTIONS
from kakaoauth.staff.actions import LONGEST, SHORTEST, TEXT_LENGTH, read_reason, read_terms
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.translation import gettext
from kakaoauth.translation import lazy_gettext as _
from kakaoauth.web import form_drafts, guards, messages

bp = Blueprint("user_bulk_actions", __name__, url_prefix="/users/many")
bp.before_request(guards.superuser)
bp.before_request(guards.form)
bp.before_request(guards.fresh_login)

#: Users of one action: a page of the list.
MOST = 50


@dataclass(frozen=True)
class BulkAction:
    title: Any
    #: Told afterwards; says `%(number)s`.
    success: Any
    #: Of one user, by id, with a reason and the terms of a suspension.
    act: Callable[..., object]


BULK: Mapping[str, BulkAction] = {
    "suspend": BulkAction(
        title=_("Suspend several users"),
        success=_("Suspended and logged out everywhere: %(number)s users."),
        act=lambda user_id, **given: roles.change_user(user_id, is_active=False, **given),
    ),
    "end-sessions": BulkAction(
        title=_("End the sessions of several users"),
        success=_("Logged out everywhere: %(number)s users."),
        act=roles.end_all_sessions,
    ),
}


@bp.get('/<any("suspend", "end-sessions"):action>/')
def ask(action: str) -> ResponseReturnValue:
    """The users are in the address, as `user` once for each, or in what was typed before a confirmation."""
    return _ask(action, chosen_users(action))


@bp.post('/<any("suspend", "end-sessions"):action>/')
def act(action: str) -> ResponseReturnValue:
    """:raises Forbidden: demoted by another meanwhile; who was done by then stays done."""
    users = chosen_users(action)
    reason, wrong = read_reason()
    terms, wrong_terms = read_terms() if action == "suspend" else ({}, "")
    if not wrong and not wrong_terms and request.form.get("number", "").strip() != str(len(users)):
        wrong = gettext("The number does not fit. Nothing was changed.")
    if wrong or wrong_terms or not users:
        return _ask(action, users, wrong=wrong or wrong_terms)
    done, refused = _act_on(users, BULK[action], reason=reason, **terms)
    if done:
        messages.tell(str(BULK[action].success).replace("%(number)s", str(done)))
    if refused:
        messages.tell(
            gettext("Not changed, as no superuser would be left: %(names)s.", names=", ".join(refused)), "warn"
        )
    return redirect(url_for("kakaoauth.users.index"))


def chosen_users(action: str) -> Sequence[User]:
    """Whom the request names and the action would change, at most MOST, by their numbers; never oneself."""
    said = [*request.values.getlist("user"), *form_drafts.typed().get("users", "").split(",")]
    said += request.form.get("users", "").split(",")
    ids = {int(text) for text in said if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= MAX_ID}
    some = sorted(ids - {current_user.id})[:MOST]
    users = db.session.scalars(select(User).where(User.id.in_(some), User.erased_at.is_(None)).order_by(User.id)).all()
    return [user for user in users if ACTIONS[action].available(user)]


def _act_on(users: Sequence[User], chosen: BulkAction, **given: Any) -> tuple[int, list[str]]:
    """How many were done, and the names of those who were refused."""
    known = [(user.id, user.display_name or str(user.id), user.get_id()) for user in users]
    done, refused, revocable = 0, [], []
    for user_id, name, session_user_id in known:
        try:
            chosen.act(user_id, by=current_user.id, **given)
        except LastSuperuser:
            refused.append(name)
            continue
        done += 1
        revocable += token_revocation.pop_tokens(user_id=user_id)
        devices.sweep(session_user_id)
    token_revocation.revoke_at_provider(revocable)
    return done, refused


def _ask(action: str, users: Sequence[User], *, wrong: str = "") -> ResponseReturnValue:
    typed = request.form if request.method == "POST" else form_drafts.typed()
    page = render_template(
        "kakaoauth/users/decide_many.html",
        action=action,
        chosen=BULK[action],
        effects=ACTIONS[action].effects,
        destructive=ACTIONS[action].destructive,
        users=users,
        wrong=wrong,
        reason=typed.get("reason", "")[: LONGEST + 1],
        until=typed.get("until", "")[:10],
        text=typed.get("text", "")[: TEXT_LENGTH + 1],
        number=typed.get("number", "")[:20],
        lengths=(SHORTEST, LONGEST),
    )
    return page, 400 if wrong else 200
