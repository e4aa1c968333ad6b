"""The staff's door: the list of users, and one of them."""

import re
from datetime import UTC, datetime

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from kakaoauth import guards, outbox
from kakaoauth.models import MAX_ID, User, find_user, page_of_users

bp = Blueprint("users", __name__, url_prefix="/users")
bp.before_request(guards.staff)
bp.before_request(guards.form)

PAGE = 50
#: Longer than any nickname, shorter than any trouble.
SEARCH_LENGTH = 254

#: Microseconds since 1970 and the id of the last row shown.
CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,19})")


@bp.get("/")
def index() -> ResponseReturnValue:
    search = "".join(char for char in request.args.get("q", "") if char.isprintable()).strip()[:SEARCH_LENGTH]
    rows = page_of_users(search=search, before=_read_cursor(request.args.get("before", "")), size=PAGE + 1)
    more = url_for("users.index", q=search or None, before=_cursor(rows[PAGE - 1])) if len(rows) > PAGE else None
    return render_template(
        "users/index.html",
        users=rows[:PAGE],
        search=search,
        more=more,
        first="before" not in request.args,
        unlinks=outbox.waiting(),
    )


@bp.get("/<int:user_id>/")
def show(user_id: int) -> ResponseReturnValue:
    user = find_user(user_id)
    if user is None:
        abort(404)
    return render_template("users/show.html", user=user)


def _cursor(user: User) -> str:
    moment = user.date_joined
    return f"{int(moment.timestamp()) * 1_000_000 + moment.microsecond}-{user.id}"


def _read_cursor(text: str) -> tuple[datetime, int] | None:
    """An unreadable cursor is the first page."""
    match = CURSOR.fullmatch(text)
    if not match or int(match[2]) > MAX_ID:
        return None
    seconds, micros = divmod(int(match[1]), 1_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros), int(match[2])
    except (ValueError, OverflowError, OSError):
        return None
