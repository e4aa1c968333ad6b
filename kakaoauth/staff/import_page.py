"""The import of a CSV file in the browser: the file is looked through, shown as it would be imported, then confirmed.

Between the two it waits in Redis, encrypted: one file for each superuser, for a quarter of an hour. Larger files are
imported with `flask users import`, which needs no memory for them.
"""

import base64
import io
from dataclasses import dataclass, field

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import audit
from kakaoauth.accounts.roles import require_superuser
from kakaoauth.staff.actions import LONGEST, SHORTEST, read_reason
from kakaoauth.staff.csv import import_users, reading
from kakaoauth.staff.csv.encodings import Unreadable
from kakaoauth.staff.csv.people import Newcomer, Refused
from kakaoauth.storage import encryption
from kakaoauth.storage.redis import get_redis
from kakaoauth.storage.transaction import transaction
from kakaoauth.translation import gettext
from kakaoauth.web import form_drafts, guards, messages

bp = Blueprint("user_import", __name__, url_prefix="/users/import")
bp.before_request(guards.superuser)
bp.before_request(guards.form)

#: Bytes of a file: some 3,000 users. In Redis it is nearly twice as large.
LARGEST = 400 * 1024
SECONDS = 900
#: Of each kind, as many are shown.
SHOWN = 20


@dataclass
class Preview:
    """What would become of a file, or has become of it."""

    new: int = 0
    known: int = 0
    refused: int = 0
    #: Of the new ones, who wait for the first login with their e-mail address.
    waiting: int = 0
    roles_left_out: int = 0
    people: list[Newcomer] = field(default_factory=list)
    lines: list[Refused] = field(default_factory=list)


@bp.get("/")
def index() -> str:
    """The form that takes a file."""
    return render_template("kakaoauth/users/import.html", largest=LARGEST // 1024)


@bp.post("/")
def upload() -> ResponseReturnValue:
    """Keep the file for its preview. Nothing is imported."""
    sent = request.files.get("file")
    content = sent.stream.read(LARGEST + 1) if sent else b""
    if sent:
        sent.close()
    if not content or len(content) > LARGEST:
        wrong = gettext("Please choose a CSV file of at most %(size)s KB.", size=LARGEST // 1024)
        return render_template("kakaoauth/users/import.html", largest=LARGEST // 1024, wrong=wrong), 400
    sealed = encryption.encrypt(base64.b64encode(content).decode())
    get_redis(current_app).set(_key(), sealed, ex=SECONDS)
    return redirect(url_for("kakaoauth.user_import.preview"))


@bp.get("/preview/")
def preview() -> ResponseReturnValue:
    """What the file that was sent would do."""
    return _preview()


@bp.post("/preview/")
@guards.guarded(guards.fresh_login)
def confirm() -> ResponseReturnValue:
    """Import who is new; the others are left as they are. :raises Forbidden: demoted by another meanwhile."""
    reason, wrong = read_reason()
    content = _content()
    if wrong or content is None:
        return _preview(wrong=wrong)
    get_redis(current_app).delete(_key())  # a second press finds nothing
    _note(current_user.id, reason)
    done = _go_through(content, changing=True)
    messages.tell(
        gettext("Imported: %(new)s. Left as they are: %(others)s.", new=done.new, others=done.known + done.refused)
    )
    return redirect(url_for("kakaoauth.users.index"))


def _preview(*, wrong: str = "") -> ResponseReturnValue:
    content = _content()
    if content is None:
        messages.tell(gettext("The file is not here any more. Please choose it again."), "warn")
        return redirect(url_for("kakaoauth.user_import.index"))
    try:
        found = _go_through(content, changing=False)
    except Unreadable as error:
        unread = gettext("The file cannot be used: %(why)s", why=error.why.told())
        return render_template("kakaoauth/users/import.html", largest=LARGEST // 1024, wrong=unread), 400
    typed = request.form if request.method == "POST" else form_drafts.typed()
    page = render_template(
        "kakaoauth/users/import_preview.html",
        found=found,
        wrong=wrong,
        reason=typed.get("reason", "")[: LONGEST + 1],
        lengths=(SHORTEST, LONGEST),
    )
    return page, 400 if wrong else 200


def _go_through(content: bytes, *, changing: bool) -> Preview:
    """:raises Unreadable: no header that says what the columns are."""
    found = Preview()
    act = import_users.import_users if changing else import_users.look_at_users
    for batch in reading.batches(io.BytesIO(content), with_roles=False):
        outcome = act(batch.good, skip_known=True)
        refused = sorted([*batch.refused, *outcome.refused])
        found.new += outcome.new
        found.known += outcome.known
        found.waiting += outcome.waiting
        found.refused += len(refused)
        found.roles_left_out += sum(person.role_left_out for person in batch.good)
        lines = {line for line, _ in refused}
        found.people += [person for person in batch.good if person.line not in lines][: SHOWN - len(found.people)]
        found.lines += refused[: SHOWN - len(found.lines)]
    return found


@transaction
def _note(actor: int, reason: str) -> None:
    require_superuser(actor)
    audit.record("import confirmed", actor=actor, reason=reason)


def _key() -> str:
    return f"{current_app.config['KAKAOAUTH_REDIS_PREFIX']}import:{current_user.id}"


def _content() -> bytes | None:
    """The file that waits; None: there is none, or no longer."""
    sealed = get_redis(current_app).get(_key())
    text = encryption.decrypt(sealed.decode() if isinstance(sealed, bytes) else str(sealed)) if sealed else None
    return base64.b64decode(text) if text else None
