"""What comes after an account was deleted: the page that says so, and the page on which its owner may restore it.

A login proves who somebody is, and opens nothing here: it leads to the second page, where they choose.
"""

import json
from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import sessions, terms
from kakaoauth.accounts import closing
from kakaoauth.accounts.closing import Closed
from kakaoauth.errors import AccountClosing, NotFound
from kakaoauth.sessions import notes
from kakaoauth.web import guards

bp = Blueprint("closed", __name__, url_prefix="/users/me")
bp.before_request(guards.anyone)
bp.before_request(guards.form)


def offer(error: AccountClosing, login: dict[str, Any], *, sid: str | None = None) -> str:
    """Let this visitor restore their account for the next minutes. Return the page's address.

    :param login: its `provider`, `next` and `mode`; `proven_at` and `token_id` as for `sessions.begin`.
    :param sid: as there.
    """
    found = closing.find(error.user_id or 0)
    if found is not None:
        about = {"user_id": found.user_id, "closed_at": found.closed_at.isoformat()}
        notes.keep_closing({**login, **about}, sid=sid)
    return url_for("kakaoauth.closed.ask")


@bp.get("/restore/")
@guards.guarded(guards.visitor)
def ask() -> ResponseReturnValue:
    """Ask whether to restore the account. Without a login just before, lead to the first page."""
    account = _account()
    if account is None:
        return redirect(url_for("kakaoauth.auth.index"))
    return render_template("kakaoauth/account/restore.html", account=account)


@bp.post("/restore/")
@guards.guarded(guards.visitor)
def decide() -> ResponseReturnValue:
    """Restore the account and log its owner in; or leave it closed."""
    account, kept = _account(), notes.closing() or {}
    notes.forget_closing()
    if account is None:
        return redirect(url_for("kakaoauth.auth.index"))
    if request.form.get("choice") != "restore":
        session["_left"] = closing.told(erase_at=account.erase_at)
        return redirect(url_for("kakaoauth.closed.done"))
    try:
        by = "" if _logs_in_again(kept) else str(kept["provider"])
        user = closing.restore(account.user_id, closed_at=account.closed_at, logs_in_by=by)
    except NotFound:
        return redirect(url_for("kakaoauth.auth.index"))
    if not by:
        way = url_for("kakaoauth.auth.login", provider=kept["provider"], next=kept["next"], mode=kept["mode"] or None)
        return render_template("kakaoauth/account/restored.html", way=way)
    sessions.begin(user, token_id=kept.get("token_id"), proven_at=kept["proven_at"])
    return redirect(kept["next"])


@bp.get("/withdrawn/")
def done() -> ResponseReturnValue:
    """Say that the account is closed or erased, what is kept, and until when it can be restored."""
    if current_user.is_authenticated:
        return redirect(url_for("kakaoauth.account.show"))
    try:
        left = {name: datetime.fromisoformat(value) for name, value in json.loads(session.get("_left") or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        left = {}
    return render_template("kakaoauth/account/withdrawn.html", is_known="_left" in session, left=left)


def _logs_in_again(kept: dict[str, Any]) -> bool:
    """Whether the login was a front end's: the Content-Security-Policy keeps a form from leading a browser there.

    Or whether a required term has a new version: the login asks for it.
    """
    leads_outside = bool(kept["mode"]) or not str(kept["next"]).startswith("/")
    return leads_outside or (kept["provider"] != "password" and terms.must_agree(kept["user_id"]))


def _account() -> Closed | None:
    """The closed account of who has just logged in, if it has not been restored or erased meanwhile."""
    kept = notes.closing()
    found = closing.find(kept["user_id"]) if kept else None
    return found if found and kept and found.closed_at.isoformat() == kept["closed_at"] else None
