"""One user's page for staff: profile, devices, recent events. It changes nothing."""

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth.accounts import devices, notes, own_page, unlink_jobs, ways_in
from kakaoauth.audit import labels, search
from kakaoauth.models import User, find_user, names_of
from kakaoauth.staff import event_rows
from kakaoauth.staff.action_texts import ACTIONS
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.database import db
from kakaoauth.terms import own as own_consents
from kakaoauth.web import guards
from kakaoauth.web.pieces import pieces

bp = Blueprint("desk", __name__, url_prefix="/users")
bp.before_request(guards.staff)

#: Events on the page; a superuser finds the others in the audit log.
EVENTS = 20


@bp.get("/<int:user_id>/")
def show(user_id: int) -> ResponseReturnValue:
    """:raise 404:"""
    user = find_user(user_id)
    if user is None:
        erased = _find_erased(user_id)
        return render_template("kakaoauth/users/erased.html", user=erased) if erased else abort(404)
    may_act = bool(current_user.is_superuser)
    available = [(name, one) for name, one in ACTIONS.items() if one.available(user)]
    lines = labels.lines(search.recent(user_id, EVENTS), shortened=True)
    written = notes.notes_of(user_id)
    numbers = (*(n for line in lines for n in (line.actor, line.target)), *(n.author_id for n in written))
    names = names_of(number for number in numbers if number is not None)
    return render_template(
        "kakaoauth/users/show.html",
        user=user,
        profile=own_page.profile(user, pieces()),
        devices=devices.of_user(user, endable=may_act),
        consents=own_consents.lines(user_id),
        may_act=may_act,
        actions=[
            {"name": name, "title": one.title, "destructive": one.destructive, "is_grave": one.is_grave}
            for name, one in available
        ]
        if may_act
        else [],
        unlinks=unlink_jobs.waiting_of(user_id),
        notes=written,
        tags=notes.tags_of([user_id]).get(user_id, []),
        waits_until=user.claimable_until if ways_in.can_be_claimed(user) else None,
        lines=lines,
        rows=event_rows.rows(lines, names),
        names=names,
    )


def _find_erased(user_id: int) -> User | None:
    """The empty row of somebody who has left, which another table refers to."""
    user = db.session.get(User, user_id) if 0 < user_id <= MAX_ID else None
    return user if user is not None and user.erased_at is not None else None
