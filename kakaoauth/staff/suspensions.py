"""The page of people who were erased while suspended, where a superuser lifts their suspension."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth.accounts import lifting, suspensions
from kakaoauth.staff.actions import LONGEST, SHORTEST
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.text import clean_text
from kakaoauth.translation import gettext
from kakaoauth.web import form_drafts, guards, messages

bp = Blueprint("suspended", __name__, url_prefix="/users/suspended")
bp.before_request(guards.superuser)
bp.before_request(guards.form)
bp.before_request(guards.fresh_login)

PAGE = 50


@bp.get("/")
def index() -> ResponseReturnValue:
    """The largest former number first. An odd `before` is the first page."""
    before = request.args.get("before", "")
    is_number = before.isascii() and before.isdecimal() and len(before) < 20 and 0 < int(before) <= MAX_ID
    people = suspensions.page(int(before) if is_number else None, PAGE + 1)
    return render_template(
        "kakaoauth/users/suspended.html",
        people=people[:PAGE],
        number=suspensions.number(),
        first=url_for("kakaoauth.suspended.index") if is_number else None,
        next=url_for("kakaoauth.suspended.index", before=people[PAGE - 1].user_id) if len(people) > PAGE else None,
    )


@bp.get("/<int:user_id>/lift/")
def ask(user_id: int) -> ResponseReturnValue:
    """:raise 404: nothing is kept of such a person, or not any more."""
    return _ask(user_id)


@bp.post("/<int:user_id>/lift/")
def lift(user_id: int) -> ResponseReturnValue:
    """:raise 404: as above. :raises Forbidden: demoted by another meanwhile."""
    reason = clean_text(request.form.get("reason", ""), limit=LONGEST + 1) or ""
    if not SHORTEST <= len(reason) <= LONGEST:
        wrong = gettext("Please give a reason of %(least)s to %(most)s characters.", least=SHORTEST, most=LONGEST)
        return _ask(user_id, wrong=wrong), 400
    if not lifting.lift_suspension(user_id, by=current_user.id, reason=reason):
        abort(404)
    messages.tell(gettext("The suspension of former user %(number)s is lifted.", number=user_id))
    return redirect(url_for("kakaoauth.suspended.index"))


def _ask(user_id: int, *, wrong: str = "") -> str:
    person = suspensions.find(user_id)
    if person is None:
        abort(404)
    typed = request.form if request.method == "POST" else form_drafts.typed()
    return render_template(
        "kakaoauth/users/lift.html",
        person=person,
        wrong=wrong,
        reason=typed.get("reason", "")[: LONGEST + 1],
        lengths=(SHORTEST, LONGEST),
    )
