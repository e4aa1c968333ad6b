"""Pages of logging in and out: the first page, the login, its callback, the logout."""

from urllib.parse import urljoin

from flask import Blueprint, Response, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import MethodNotAllowed

from kakaoauth import providers, sessions
from kakaoauth.audit import alarms
from kakaoauth.counting import counters
from kakaoauth.errors import EmailNotConfigured, RateLimited, SessionsUnavailable, UnknownState
from kakaoauth.login import last_used
from kakaoauth.login.callback import finish_login, keep_posted
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import CONSENT_FOR_EMAIL
from kakaoauth.sessions.store import current_session
from kakaoauth.translation import gettext
from kakaoauth.web import guards, in_app, login_limits, messages, parts, personal_pages, rate_limits, silent_login
from kakaoauth.web.mounting import home
from kakaoauth.web.parameters import only
from kakaoauth.web.redirects import callback_address, safe_next

bp = Blueprint("auth", __name__)
bp.before_request(guards.anyone)

INDEX = "kakaoauth/auth/index.html"
#: Bytes of a posted answer: code, state and a name are less than half of it.
MAX_POSTED = 16 * 1024

#: Named sets of consent items a link may ask for.
CONSENTS = {"account_email": CONSENT_FOR_EMAIL}


def _provider_is_offered() -> None:
    """Ask nobody to log in for a page that is not there. :raises NotFound: a provider that is unknown or off."""
    providers.get_provider((request.view_args or {})["provider"])


@bp.get("/")
@guards.guarded(guards.visitor)
def index() -> ResponseReturnValue:
    """Show the first page; redirect a visitor who is logged in to `next`."""
    target = safe_next(only(request.args, "next"), default="") or None
    user = current_user._get_current_object()  # once: each use of the proxy costs five look-ups
    if user.is_authenticated:
        target = target or current_app.config["KAKAOAUTH_HOME_URL"]
        return redirect(target) if target else personal_pages.render(INDEX, user=user)
    if way := _without_a_press(target):
        return redirect(way)
    return _welcome(target)


@bp.get("/<provider>/login/")
@guards.guarded(login_limits.of_login("login", by_session="login_session"), guards.visitor)
def login(provider: str) -> ResponseReturnValue:
    """Begin a login: redirect to the provider. By GET, because logging a person in to their own account harms
    nobody."""
    chosen, asked = providers.get_provider(provider), request.args
    prompt, consent = only(asked, "prompt"), CONSENTS.get(only(asked, "consent") or "", ())
    _require_askable(chosen, consent)
    in_app.lead_outside(chosen, lambda: _login_address(chosen))
    address = chosen.begin(
        callback_address(chosen.name),
        safe_next(only(asked, "next")),
        prompt=prompt if prompt in chosen.prompts else None,
        consent=consent,
        mode="jwt" if only(asked, "mode") == "jwt" else "",
    )
    current_session().along.append(lambda commands: counters.add(commands, ("login_begun", chosen.name)))
    return redirect(address)


@bp.route("/<provider>/login/callback/", methods=["GET"], provide_automatic_options=False)
@guards.guarded(login_limits.of_login("callback", room="callback_refused"))
def callback(provider: str) -> ResponseReturnValue:
    """Finish a login: redirect to `next`, or show an AppError's page. See `login.callback`."""
    if request.method != "GET":
        raise MethodNotAllowed(valid_methods=["GET"])
    return finish_login(providers.get_provider(provider))


@bp.route("/<provider>/login/callback/", methods=["POST"], provide_automatic_options=False)
@guards.guarded(login_limits.of_login("callback", room="callback_refused"))
def posted_callback(provider: str) -> ResponseReturnValue:
    """Take the answer of a provider that posts it, and go on with a GET of this site. See `login.posted_answers`."""
    chosen = providers.get_provider(provider)
    if not chosen.answers_by_post:
        raise MethodNotAllowed(valid_methods=["GET"])
    request.max_content_length = MAX_POSTED
    name = keep_posted(chosen, request.form)
    return redirect(url_for("kakaoauth.auth.callback", provider=chosen.name, answer=name), 303)


@bp.get("/<provider>/logout/")
@guards.guarded(_provider_is_offered, guards.login)
def logout_page(provider: str) -> ResponseReturnValue:
    """Ask whether to log out here only, or at the provider as well."""
    chosen = providers.get_provider(provider)
    may_leave_account = chosen.account_logout_url("", "") is not None
    return render_template("kakaoauth/auth/logout.html", provider=chosen, may_leave_account=may_leave_account)


@bp.post("/<provider>/logout/")
@guards.guarded(_provider_is_offered, guards.login_or_outage, guards.form)
def logout(provider: str) -> ResponseReturnValue:
    """End this session, even while Redis or the database is away; with `account=1` go on to the provider's logout.

    :raises LogoutUnfinished: neither Redis nor the database could be told.
    """
    chosen = providers.get_provider(provider)
    sessions.log_out("logout", provider=chosen.name)
    silent_login.leave_alone()
    response = redirect(_account_logout(chosen) if request.form.get("account") == "1" else home())
    # So that the back button finds no private page in the browser's cache.
    response.headers["Clear-Site-Data"] = '"cache"'
    messages.tell_parting(response, "logged-out")
    return response


@bp.get("/<provider>/logout/callback/")
def logout_callback(provider: str) -> ResponseReturnValue:
    """Return from the provider's logout. :raises UnknownState: `state` is not the one we sent."""
    providers.get_provider(provider)
    expected = session.pop("_logout_state", None)
    if not expected or only(request.args, "state") != expected:
        raise UnknownState("logout state")
    return redirect(home())


def _welcome(target: str | None) -> str | Response:
    """Return the first page of those who are not logged in, which is the same for all of them but for what it tells
    once."""
    offered, last = providers.all_providers(), last_used.find()
    shown = {"providers": offered, "next": target, "last": last}
    if messages.are_waiting():
        return render_template(INDEX, **shown)
    return parts.page(INDEX, target, last, *[provider.name for provider in offered], **shown)


def _without_a_press(target: str | None) -> str | None:
    """Return the address that logs in whom Kakao knows already; None where that may not be tried (now)."""
    kakao = providers.find_provider("kakao")
    if kakao is None or not silent_login.may_try():
        return None
    try:
        rate_limits.per_address("login")()
    except (RateLimited, SessionsUnavailable):
        return None
    return kakao.begin(callback_address(kakao.name), safe_next(target), prompt="none")


def _require_askable(provider: Provider, consent: tuple[str, ...]) -> None:
    """:raises EmailNotConfigured: the provider would show an error page of its own, from which nobody comes back."""
    if consent and not provider.can_ask_for(consent):
        alarms.email_is_not_configured(provider.name)
        error = EmailNotConfigured("the provider's console has no such consent item")
        error.provider = provider.name
        if current_user.is_authenticated:
            error.actions.append((gettext("My page"), url_for("kakaoauth.account.show")))
        raise error


def _login_address(provider: Provider) -> str:
    """This page with what it was asked, on the host of the callback."""
    target, mode = only(request.args, "next"), only(request.args, "mode")
    path = url_for("kakaoauth.auth.login", provider=provider.name, next=target, mode=mode)
    return urljoin(callback_address(provider.name), path)


def _logout_address(provider: Provider) -> str:
    """Registered at the provider beside the callback, so on the same scheme and host."""
    path = url_for("kakaoauth.auth.logout_callback", provider=provider.name)
    return urljoin(callback_address(provider.name), path)


def _account_logout(provider: Provider) -> str:
    state = sessions.new_secret()
    address = provider.account_logout_url(_logout_address(provider), state)
    if address is None:
        return home()
    # If the state cannot be stored, the way back shows an error; being logged out at the provider counts more.
    sessions.store_for_anonymous("_logout_state", state)
    return address
