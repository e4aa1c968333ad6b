"""A superuser's actions on one user: a page that asks first, and a form with a reason.

The form may be sent long after the page was shown, or by two superusers at once. So the transaction checks again that
its sender is still a superuser, and that another superuser is left.
"""

from datetime import date, timedelta
from typing import Any, NamedTuple, NoReturn

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import sessions
from kakaoauth.accounts import devices, leaving, linking, roles
from kakaoauth.days import start_of
from kakaoauth.errors import AppError, LastSuperuser, NotFound, TheirLastWayIn
from kakaoauth.models import Identity, User, find_user
from kakaoauth.staff.action_texts import ACTIONS, END_DEVICE, UNLINK, AdminAction
from kakaoauth.storage.columns import now
from kakaoauth.text import clean_text
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.translation import gettext
from kakaoauth.web import form_drafts, guards, messages
from kakaoauth.web.mounting import home

bp = Blueprint("user_actions", __name__, url_prefix="/users/<int:user_id>")
bp.before_request(guards.superuser)
bp.before_request(guards.form)
bp.before_request(guards.fresh_login)

#: Characters of a reason. The audit trail's column holds no more than LONGEST.
SHORTEST, LONGEST = 2, 200
#: Characters that a suspended person is told, as long as the column; and how far off an end may be.
TEXT_LENGTH = 300
LONGEST_SUSPENSION = timedelta(days=3653)
NAMES = ", ".join(f'"{name}"' for name in ACTIONS)


class Case(NamedTuple):
    """The user an action is about, as they were before it: afterwards the row may be gone."""

    user: User
    user_id: int
    name: str
    #: What `User.get_id` gave to their sessions.
    session_user_id: str
    is_oneself: bool


@bp.get(f"/<any({NAMES}):action>/")
def ask(user_id: int, action: str) -> ResponseReturnValue:
    """:raise 404: no such user."""
    return _ask(_case(user_id), ACTIONS[action])


@bp.post(f"/<any({NAMES}):action>/")
def act(user_id: int, action: str) -> ResponseReturnValue:
    """:raise 404: no such user. :raises LastSuperuser: :raises Forbidden: demoted by another meanwhile."""
    case, chosen = _case(user_id), ACTIONS[action]
    if not chosen.available(case.user):
        return _is_so_already(case)
    reason, wrong = _read_form(case, chosen)
    if wrong:
        return _ask(case, chosen, wrong=wrong)
    terms, wrong = read_terms() if chosen.has_terms else ({}, "")
    if wrong:
        return _ask(case, chosen, wrong=wrong)
    try:
        if chosen.changes:
            roles.change_user(user_id, by=current_user.id, reason=reason, **chosen.changes, **terms)
        elif action == "delete":
            leaving.delete_user(user_id, by=current_user.id, reason=reason)
        else:
            roles.end_all_sessions(user_id, by=current_user.id, reason=reason)
    except LastSuperuser:
        _refuse(LastSuperuser(f"user {user_id}"), case)
    if action in ("suspend", "end-sessions", "delete"):
        return _logged_out(case, chosen, erased=action == "delete")
    return _told(case, chosen)


@bp.get("/unlink/<int:identity_id>/")
def ask_unlink(user_id: int, identity_id: int) -> ResponseReturnValue:
    """:raise 404: no such user, or no such identity of theirs."""
    case = _case(user_id)
    return _ask(case, UNLINK, identity=_get_identity(case.user, identity_id))


@bp.post("/unlink/<int:identity_id>/")
def unlink(user_id: int, identity_id: int) -> ResponseReturnValue:
    """:raise 404: as above, or taken away already. :raises TheirLastWayIn: :raises Forbidden: as `act`."""
    case = _case(user_id)
    identity = _get_identity(case.user, identity_id)
    reason, wrong = _read_form(case, UNLINK)
    if wrong:
        return _ask(case, UNLINK, identity=identity, wrong=wrong)
    try:
        unlinked = linking.unlink_for(user_id, identity_id, by=current_user.id, reason=reason)
    except TheirLastWayIn as error:
        _refuse(error, case)
    if unlinked is None:
        raise NotFound
    if case.is_oneself:
        sessions.renew(unlinked.session_user_id)
    devices.sweep(case.session_user_id)
    leaving.try_unlink(unlinked.job)
    return _told(case, UNLINK)


@bp.get("/devices/<handle>/end/")
def ask_end_device(user_id: int, handle: str) -> ResponseReturnValue:
    """:raise 404: no such user, or a handle that was not made for them."""
    case = _case(user_id)
    return _ask_end_device(case, handle)


@bp.post("/devices/<handle>/end/")
def end_device(user_id: int, handle: str) -> ResponseReturnValue:
    """:raise 404: as above. :raises Forbidden: demoted by another meanwhile."""
    case = _case(user_id)
    reason, wrong = _read_form(case, END_DEVICE)
    if wrong:
        return _ask_end_device(case, handle, wrong=wrong)
    key = devices.read_handle(handle, user_id)
    if key is None:
        abort(404)
    if not devices.end_for(case.user, key, by=current_user.id, reason=reason):
        return _is_so_already(case)
    return _told(case, END_DEVICE)


def _ask_end_device(case: Case, handle: str, *, wrong: str = "") -> ResponseReturnValue:
    if devices.read_handle(handle, case.user_id) is None:
        abort(404)
    listed = devices.of_user(case.user, endable=True).listed
    device = next((one for one in listed if one.handle == handle), None)
    if device is None:
        return _is_so_already(case)
    return _ask(case, END_DEVICE, device=device, wrong=wrong)


def _case(user_id: int) -> Case:
    user = find_user(user_id)
    if user is None:
        abort(404)
    name = user.display_name or gettext("User %(number)s", number=user_id)
    return Case(user, user_id, name, user.get_id(), is_oneself=user_id == current_user.id)


def _get_identity(user: User, identity_id: int) -> Identity:
    identity = next((one for one in user.identities if one.id == identity_id), None)
    if identity is None:
        abort(404)
    return identity


def _read_form(case: Case, chosen: AdminAction) -> tuple[str, str]:
    """The reason, and what is wrong with the form."""
    reason, wrong = read_reason()
    if wrong:
        return reason, wrong
    if chosen.confirm_by_id and request.form.get("number", "").strip() != str(case.user_id):
        return reason, gettext("The number does not fit. Nothing was deleted.")
    return reason, ""


def read_reason() -> tuple[str, str]:
    """The reason in the form, and what is wrong with it."""
    reason = clean_text(request.form.get("reason", ""), limit=LONGEST + 1) or ""
    if SHORTEST <= len(reason) <= LONGEST:
        return reason, ""
    return reason, gettext("Please give a reason of %(least)s to %(most)s characters.", least=SHORTEST, most=LONGEST)


def read_terms() -> tuple[dict[str, Any], str]:
    """What the form says of a suspension's end and text, as arguments of `roles.change_user`; and what is wrong."""
    text = clean_text(request.form.get("text", ""), limit=TEXT_LENGTH + 1) or ""
    if len(text) > TEXT_LENGTH:
        return {}, gettext("Please write at most %(most)s characters to the person.", most=TEXT_LENGTH)
    until, day = None, request.form.get("until", "").strip()
    if day:
        try:
            until = start_of(date.fromisoformat(day)) + timedelta(days=1)
        except ValueError:
            until = None
        if until is None or not now() < until <= now() + LONGEST_SUSPENSION:
            return {}, gettext("Please choose an end date from today on, within ten years.")
    return {"suspended_until": until, "suspension_text": text or None}, ""


def _ask(
    case: Case,
    chosen: AdminAction,
    *,
    identity: Identity | None = None,
    device: devices.Device | None = None,
    wrong: str = "",
) -> ResponseReturnValue:
    if not chosen.available(case.user):
        return _is_so_already(case)
    typed = request.form if request.method == "POST" else form_drafts.typed()
    page = render_template(
        "kakaoauth/users/decide.html",
        case=case,
        chosen=chosen,
        identity=identity,
        device=device,
        wrong=wrong,
        reason=typed.get("reason", "")[: LONGEST + 1],
        number=typed.get("number", "")[:20],
        until=typed.get("until", "")[:10],
        text=typed.get("text", "")[: TEXT_LENGTH + 1],
        lengths=(SHORTEST, LONGEST),
    )
    return page, 400 if wrong else 200


def _is_so_already(case: Case) -> ResponseReturnValue:
    """Another superuser was faster, or the form was sent twice."""
    messages.tell(gettext("No change needed"), "")
    return redirect(url_for("kakaoauth.desk.show", user_id=case.user_id))


def _refuse(error: AppError, case: Case) -> NoReturn:
    error.actions.append((gettext("Back to the user"), url_for("kakaoauth.desk.show", user_id=case.user_id)))
    raise error


def _logged_out(case: Case, chosen: AdminAction, *, erased: bool) -> ResponseReturnValue:
    """Remove the ended sessions from Redis too, and revoke the tokens at the provider."""
    revocable = [] if erased else token_revocation.pop_tokens(user_id=case.user_id)
    if case.is_oneself:
        sessions.end()
    devices.sweep(case.session_user_id)
    token_revocation.revoke_at_provider(revocable)
    if case.is_oneself:
        return redirect(home())
    return _told(case, chosen, erased=erased)


def _told(case: Case, chosen: AdminAction, *, erased: bool = False) -> ResponseReturnValue:
    if case.is_oneself:
        # They may have given up the role that the user's page needs.
        return redirect(url_for("kakaoauth.account.show"))
    messages.tell(str(chosen.success).replace("%(name)s", case.name))
    if erased:
        return redirect(url_for("kakaoauth.users.index"))
    return redirect(url_for("kakaoauth.desk.show", user_id=case.user_id))
