"""What staff write down: notes on a user, tags, filters that they keep. None of it changes anything for the user."""

from urllib.parse import urlencode

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth.accounts import notes, saved_filters
from kakaoauth.accounts.notes import MOST_TAGS, NOTE_LENGTH, clean_tag
from kakaoauth.staff.user_list import understood
from kakaoauth.text import clean_text
from kakaoauth.translation import gettext
from kakaoauth.web import guards, messages

bp = Blueprint("desk_notes", __name__, url_prefix="/users")
bp.before_request(guards.staff)
bp.before_request(guards.form)


@bp.post("/<int:user_id>/notes/")
def add(user_id: int) -> ResponseReturnValue:
    """An empty or too long note is not kept, and the page says so. :raise 404: no such user."""
    text = clean_text(request.form.get("text", ""), limit=NOTE_LENGTH + 1) or ""
    if not 0 < len(text) <= NOTE_LENGTH:
        messages.tell(gettext("Please write a note of at most %(most)s characters.", most=NOTE_LENGTH), "grave")
    elif not notes.add_note(user_id, text, by=current_user.id):
        abort(404)
    else:
        messages.tell(gettext("The note is added."))
    return _back(user_id)


@bp.post("/<int:user_id>/notes/<int:note_id>/remove/")
def remove(user_id: int, note_id: int) -> ResponseReturnValue:
    """One's own, or as a superuser anybody's. :raise 404: there is none that one may remove."""
    if not notes.remove_note(user_id, note_id, by=current_user):
        abort(404)
    messages.tell(gettext("The note is removed."))
    return _back(user_id)


@bp.post("/<int:user_id>/tags/")
def tag(user_id: int) -> ResponseReturnValue:
    """All tags of a user, separated by commas. :raise 404: no such user."""
    tags = list(dict.fromkeys(filter(None, map(clean_tag, request.form.get("tags", "").split(",")))))
    if len(tags) > MOST_TAGS:
        messages.tell(gettext("At most %(most)s tags, please.", most=MOST_TAGS), "grave")
    elif not notes.set_tags(user_id, tags, by=current_user.id):
        abort(404)
    else:
        messages.tell(gettext("The tags are saved."))
    return _back(user_id)


@bp.post("/filters/")
def save_filter() -> ResponseReturnValue:
    """Keep the filter of the address under the name in the form."""
    name = clean_text(request.form.get("name", ""), limit=saved_filters.NAME_LENGTH)
    query = urlencode(understood(request.args))
    if not name or not query or len(query) > saved_filters.QUERY_LENGTH:
        messages.tell(gettext("This filter cannot be saved."), "grave")
    elif not saved_filters.save(current_user.id, name, query):
        messages.tell(gettext("At most %(most)s filters can be saved.", most=saved_filters.MOST), "grave")
    else:
        messages.tell(gettext("The filter is saved: %(name)s", name=name))
    return redirect(url_for("kakaoauth.users.index") + (f"?{query}" if query else ""))


@bp.post("/filters/<int:filter_id>/remove/")
def remove_filter(filter_id: int) -> ResponseReturnValue:
    """It may be gone already: the button was pressed twice."""
    saved_filters.remove(current_user.id, filter_id)
    messages.tell(gettext("The filter is removed."))
    return redirect(url_for("kakaoauth.users.index"))


def _back(user_id: int) -> ResponseReturnValue:
    return redirect(url_for("kakaoauth.desk.show", user_id=user_id))
