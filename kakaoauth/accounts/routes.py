"""One's own account page: profile, devices, linking, logout everywhere, withdrawal."""

from urllib.parse import urljoin

from flask import Blueprint, abort, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import providers, sessions
from kakaoauth.accounts import closing, devices, leaving, linking, own_data, own_page, profile, rejoining
from kakaoauth.errors import AlreadyLinked, SessionOver
from kakaoauth.sessions import logout
from kakaoauth.terms import own as own_consents
from kakaoauth.tokens import revocation as token_revocation
from kakaoauth.translation import gettext, in_language, language
from kakaoauth.web import form_drafts, guards, in_app, messages, personal_pages, silent_login
from kakaoauth.web.mounting import home
from kakaoauth.web.redirects import callback_address

bp = Blueprint("account", __name__, url_prefix="/users/me")

#: Endpoints that end logins, which work while the database is away.
ENDS = ("kakaoauth.account.logout_everywhere", "kakaoauth.account.end_device", "kakaoauth.account.end_other_devices")


def enter() -> ResponseReturnValue | None:
    """Require a login; for ENDS also while the database is away."""
    return guards.login_or_database_away() if request.endpoint in ENDS else guards.login()


bp.before_request(enter)
bp.before_request(guards.form)

#: What is typed to leave, in either language: nobody leaves by a slip of the finger.
WORDS = ("탈퇴", "delete")


@bp.get("/")
def show() -> ResponseReturnValue:
    """Show the account page."""
    user = current_user._get_current_object()
    with in_language(language()):  # which is asked for with each text
        return personal_pages.render("kakaoauth/account/show.html", user=user, cards=own_page.cards(user))


@bp.post("/consents/<term>/")
def change_consent(term: str) -> ResponseReturnValue:
    """Agree to a term later than at the sign-up, or withdraw an optional consent.

    :raises ConsentNeeded: a required one. :raises TermsChanged: another version than the one shown.
    """
    if request.form.get("decision") == "agree":
        own_consents.agree(current_user.id, term, request.form.get("version"))
    else:
        own_consents.withdraw(current_user.id, term)
    return redirect(url_for("kakaoauth.account.show", _anchor="consents"))


@bp.post("/profile/")
def change_profile() -> ResponseReturnValue:
    """Change one's nickname, as the API does: later logins leave it alone. Empty gives it back to the provider."""
    typed = request.form.get("nickname", "")
    user = profile.change_profile(current_user.id, {"nickname": typed.strip() or None})
    if user.nickname and typed.strip():
        messages.tell(gettext("Your nickname is %(name)s now.", name=user.nickname))
    else:
        messages.tell(gettext("Your next login brings your nickname."))
    return redirect(url_for("kakaoauth.account.show"))


@bp.post("/logout-everywhere/")
def logout_everywhere() -> ResponseReturnValue:
    """End every session and every provider token of this user, this session included."""
    asked_as = sessions.holder() or ""
    tokens = logout.end_everywhere(asked_as, away="database_away" in g)
    sessions.end()
    devices.sweep(asked_as)
    token_revocation.revoke_at_provider(tokens)
    return _goodbye("logged-out-everywhere")


@bp.post("/devices/<handle>/end/")
def end_device(handle: str) -> ResponseReturnValue:
    """Log out on one device, this one or another.

    :raise 404: the handle was not made for this person.
    """
    key = devices.read_handle(handle)
    if key is None:
        abort(404)
    if key != sessions.name():
        devices.end(key)
        messages.tell(gettext("The device is logged out."))
        return redirect(url_for("kakaoauth.account.show", _anchor="devices"))
    sessions.log_out("device ended", kind="browser")
    return _goodbye("logged-out")


@bp.post("/devices/end-others/")
def end_other_devices() -> ResponseReturnValue:
    """Log out everywhere but here, apps included. This session gets a new id."""
    asked_as = sessions.holder() or ""
    try:
        session_user_id = None if "database_away" in g else logout.end_others(current_user._get_current_object())
    except SessionOver:
        return redirect(url_for("kakaoauth.account.show"))  # The page's guard decides what comes next.
    if session_user_id is None:
        devices.end_others(asked_as)
    else:
        sessions.renew(session_user_id)
        devices.sweep(asked_as)
        token_revocation.revoke_at_provider(
            token_revocation.pop_tokens(user_id=current_user.id, but=sessions.token_id())
        )
    messages.tell(gettext("All other devices are logged out."))
    return redirect(url_for("kakaoauth.account.show", _anchor="devices"))


@bp.post("/link/<provider>/")
@guards.guarded(guards.fresh_login)
def link(provider: str) -> ResponseReturnValue:
    """Begin to link a provider's identity. By POST, so that no other site can begin it.

    The provider asks which account to use: in a shared browser somebody else may be logged in there.

    :raise 404: no such provider. :raises AlreadyLinked: the account has an identity of it.
    """
    chosen = providers.get_provider(provider)
    try:
        linking.require_unlinked(current_user._get_current_object(), chosen.name)
    except AlreadyLinked as error:
        error.provider = chosen.name
        error.actions.append((gettext("My page"), url_for("kakaoauth.account.show")))
        raise
    in_app.lead_outside(chosen, lambda: urljoin(callback_address(chosen.name), url_for("kakaoauth.account.show")))
    address = chosen.begin(
        callback_address(chosen.name),
        url_for("kakaoauth.account.show"),
        prompt="select_account" if "select_account" in chosen.prompts else None,
        link_to=current_user.get_id(),
    )
    return redirect(address)


@bp.post("/unlink/<int:identity_id>/")
@guards.guarded(guards.fresh_login)
def unlink(identity_id: int) -> ResponseReturnValue:
    """Unlink an identity. Ends every other session: a thief may have logged in by it.

    :raises LastWayIn: it is the only one.
    """
    user_id, asked_as = current_user.id, current_user.get_id()
    try:
        unlinked = linking.unlink(user_id, identity_id, asked_as=asked_as)
    except SessionOver:
        return redirect(url_for("kakaoauth.account.show"))  # The page's guard decides what comes next.
    if unlinked is None:
        abort(404)
    sessions.renew(unlinked.session_user_id)
    devices.sweep(asked_as)
    leaving.try_unlink(unlinked.job)
    messages.tell(gettext("The sign-in method is disconnected."))
    return redirect(url_for("kakaoauth.account.show"))


@bp.post("/data/")
@guards.guarded(guards.fresh_login)
def download() -> ResponseReturnValue:
    """Give out everything that is held about this person, as a file."""
    document = own_data.export(current_user.id)
    if document is None:
        return redirect(url_for("kakaoauth.account.show"))  # The page's guard decides what comes next.
    response = make_response(f"{document}\n")
    response.mimetype = "application/json"
    response.headers["Content-Disposition"] = f'attachment; filename="{own_data.file_name()}"'
    return response


@bp.get("/withdraw/")
def withdraw_page() -> ResponseReturnValue:
    """Ask before closing the account: what is erased, what stays."""
    return _withdraw_page(form_drafts.typed().get("typed", ""))


@bp.post("/withdraw/")
@guards.guarded(guards.fresh_login)
def withdraw() -> ResponseReturnValue:
    """Erase or close the account, then unlink at the provider, or leave that to a job. Asks again if a wrong word was
    typed. Lead to a page that says what was done.

    :raises LastSuperuser: nobody could look after the site.
    """
    typed = request.form.get("typed", WORDS[0])
    if typed.strip().lower() not in WORDS:
        return make_response(_withdraw_page(typed, wrong=True), 400)
    user_id, asked_as = current_user.id, current_user.get_id()
    rejoin_from = rejoining.ends_at(current_user._get_current_object())
    jobs = leaving.withdraw(user_id)
    closed = closing.find(user_id)
    sessions.end()
    devices.sweep(asked_as)
    for job in jobs:
        leaving.try_unlink(job)
    sessions.store_for_anonymous(
        "_left", closing.told(erase_at=closed.erase_at if closed else None, rejoin_from=rejoin_from)
    )
    return _goodbye(target=url_for("kakaoauth.closed.done"))


def _withdraw_page(typed: str, *, wrong: bool = False) -> str:
    user = current_user._get_current_object()
    what = {"grace": closing.grace().days, "rejoin_from": rejoining.ends_at(user)}
    return render_template("kakaoauth/account/withdraw.html", user=user, typed=typed, wrong=wrong, **what)


def _goodbye(told: str = "", *, target: str | None = None) -> ResponseReturnValue:
    """:param told: of `messages.PARTING`."""
    silent_login.leave_alone()
    # The back button finds no private page in the browser's cache.
    response = make_response(redirect(target or home()))
    if told:
        messages.tell_parting(response, told)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
