"""The callback: the provider's redirect becomes a session, tokens, a link, or an error."""

import re
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from kakaoauth import sessions
from kakaoauth.accounts.known_login import KnownLogin
from kakaoauth.counting import counters
from kakaoauth.errors import (
    AppError,
    CookieLost,
    InteractionRequired,
    LoginCancelled,
    LoginExpired,
    MalformedCallback,
    UnknownState,
    from_dict,
)
from kakaoauth.login import completion, last_used, next_steps, posted_answers
from kakaoauth.login.callback_lock import CallbackLock
from kakaoauth.login.completion import LoginResult
from kakaoauth.login.refusals import record_refusal
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import PendingLogin
from kakaoauth.sessions import finished_logins
from kakaoauth.sessions.store import current_session
from kakaoauth.tokens import cookies
from kakaoauth.web import silent_login
from kakaoauth.web.error_pages import as_app_error
from kakaoauth.web.mounting import home
from kakaoauth.web.parameters import only
from kakaoauth.web.redirects import redirect_without_fragment

#: 32 bytes in base64url, as providers.login_state makes them.
STATE = re.compile(r"[A-Za-z0-9_-]{43}")
#: Visible ASCII (RFC 6749, appendix A.11). Kakao's codes have fewer than 100 characters.
CODE = re.compile(r"[\x21-\x7e]{1,1000}")
#: Characters of Apple's `user`: two names and an e-mail address, as JSON.
LONGEST_SAID = 2000
#: Authorization error names (RFC 6749, appendix A.7).
ERROR = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,500}")


@dataclass(frozen=True)
class AuthorizationResponse:
    """The authorization response's parameters (RFC 6749, section 4.1.2), checked for form only."""

    state: str
    code: str
    error: str
    description: str
    #: What the browser brought beside it, unsigned.
    said: str = ""
    #: Whose answer it says it is (RFC 9207); most providers say nothing.
    issuer: str = ""


def finish_login(chosen: Provider) -> ResponseReturnValue:
    """Answer the provider's redirect: 302 to `next`; for a front end with tokens in cookies.

    :raises AppError: the login failed; `actions` holds the buttons for the error page.
    """
    pending: PendingLogin | None = None
    try:
        answer = _read_response(chosen)
        pending = chosen.find_pending(answer.state)
        result = _finish(chosen, pending, answer) if pending else _answer_again(answer)
    except AppError as error:
        if way := _to_the_button(error, pending):
            return redirect(way)
        error.provider = chosen.name
        record_refusal(error, chosen.name, pending=pending, action=completion.action_of(pending))
        next_steps.offer(error, chosen, pending)
        raise
    # Facebook appends a fragment. Our pages remove it (clean-address.js), a front end must not get it.
    spared = chosen.leaves_fragment and not result.next.startswith("/")
    response = redirect_without_fragment(result.next) if spared else redirect(result.next)
    if result.tokens:
        cookies.put(response, result.tokens)
    if pending is not None and pending.is_login and not result.tokens:  # a front end has a page of its own
        last_used.remember(response, chosen.name)
    return response


def _to_the_button(error: AppError, pending: PendingLogin | None) -> str | None:
    """Return the address of the first page, if a login without a press needs one; None for any other error."""
    if pending is not None and pending.silent and isinstance(error, InteractionRequired | LoginCancelled):
        return url_for("kakaoauth.auth.index", next=pending.next if pending.next != home() else None)
    if isinstance(error, CookieLost) and silent_login.failed_without_cookie():
        return url_for("kakaoauth.auth.index", silent="no")
    return None


def keep_posted(chosen: Provider, form: MultiDict[str, str]) -> str:
    """Keep an answer that comes as a form until the browser goes on; return its name.

    :raises MalformedCallback: no provider sends this.
    """
    try:
        answer = _read(form)
    except AppError as error:
        error.provider = chosen.name
        record_refusal(error, chosen.name, pending=None, action=completion.action_of(None))
        next_steps.offer(error, chosen, None)
        raise
    fields = {"state": answer.state, "code": answer.code, "error": answer.error, "user": answer.said}
    fields["iss"] = answer.issuer
    return posted_answers.keep(chosen.name, {name: value for name, value in fields.items() if value})


def _read_response(chosen: Provider) -> AuthorizationResponse:
    """:raises MalformedCallback: no provider sends this. :raises CookieLost: the browser sent no session cookie.
    :raises LoginExpired: what the provider posted is not kept any more.
    """
    answer: AuthorizationResponse | None = None
    name = only(request.args, posted_answers.PARAMETER)
    if not (chosen.answers_by_post and name):
        answer = _read(request.args)
    if not sessions.has_cookie():
        raise CookieLost("no session cookie")
    if answer is not None:
        return answer
    kept = posted_answers.find(chosen.name, name or "")
    if kept is None:
        raise LoginExpired("the posted answer is not kept any more")
    return _read(MultiDict(kept))


def _doubled(name: str) -> MalformedCallback:
    return MalformedCallback(f"doubled {name}")


def _read(sent: MultiDict[str, str]) -> AuthorizationResponse:
    """:raises MalformedCallback: no provider sends this."""
    found: dict[str, str] = {}
    for name in ("state", "code", "error", "error_code", "error_description", "user", "iss"):
        found[name] = only(sent, name, doubled=_doubled) or ""
    if not found["code"] and not found["error"]:
        found["error"] = found["error_code"]  # Facebook's dialog, where the app's settings are the reason
    if bool(found["code"]) == bool(found["error"]):
        raise MalformedCallback("neither or both of code and error")
    for name, pattern in (("state", STATE), ("code", CODE), ("error", ERROR)):
        if found[name] and not pattern.fullmatch(found[name]):
            raise MalformedCallback(f"odd {name}")
    if not found["state"]:
        raise MalformedCallback("no state")
    if len(found["user"]) > LONGEST_SAID:
        raise MalformedCallback("long user")
    return AuthorizationResponse(
        *(found[name] for name in ("state", "code", "error", "error_description", "user", "iss"))
    )


def _finish(provider: Provider, pending: PendingLogin, answer: AuthorizationResponse) -> LoginResult:
    """:raises AppError: nobody is logged in."""
    if pending.is_late():
        _consume(provider, pending, answer)
        raise LoginExpired("pending login is late")
    _refuse_what_it_says(provider, pending, answer)
    if completion.is_foreign(pending):
        _consume(provider, pending, answer)
        raise completion.ended(pending, "the person who began it is not logged in any more")
    lock = CallbackLock(answer.state, answer.code)
    sid = lock.acquire()
    if sid is None:
        return _replay(lock)
    if pending.silent:
        counters.count("login_begun", provider.name)
    said = posted_answers.said_before(provider.name) if provider.answers_by_post else ""
    known = KnownLogin(provider.name)
    is_enough = known.is_enough if pending.is_login else pending.is_enough_of
    told = replace(pending, said=answer.said or said, is_enough_of=is_enough)
    with lock.kept_alive(), closing(known):
        try:
            provider.forget_pending(answer.state)
            profile = provider.fetch_profile(told, answer.code)
            result = completion.complete_login(pending, profile, sid, known, lock)
        except Exception as error:
            current_session().along.clear()
            _count_return(provider, pending)
            if told.said:
                posted_answers.keep_said(provider.name, told.said)
            lock.publish(as_app_error(error, provider.name).to_dict())
            raise
        if not lock.has_outcome:
            _count_return(provider, pending)
            lock.publish(result.to_dict())
    return result


def _refuse_what_it_says(provider: Provider, pending: PendingLogin, answer: AuthorizationResponse) -> None:
    """:raises MalformedCallback: it is another provider's answer. :raises AppError: an error."""
    if answer.issuer and provider.issuers and answer.issuer not in provider.issuers:
        _consume(provider, pending, answer)
        raise MalformedCallback("another issuer's answer")
    if answer.error:
        _consume(provider, pending, answer)
        raise provider.refusal(answer.error, answer.description).said_by_browser()


def _consume(provider: Provider, pending: PendingLogin, answer: AuthorizationResponse) -> None:
    """Forget the login's state and count its return, once for several equal callbacks."""
    provider.forget_pending(answer.state)
    if not (pending.silent and answer.error):  # nobody has pressed anything
        _count_return(provider, pending)


def _count_return(provider: Provider, pending: PendingLogin) -> None:
    if pending.is_login:
        counters.count(completion.RETURNED, provider.name)


def _answer_again(answer: AuthorizationResponse) -> LoginResult:
    """Answer a callback that was answered before: back button, reload, double click.

    :raises UnknownState: it was not begun in this browser, or the person has logged out since.
    """
    target = finished_logins.find(answer.state)
    if target is not None:
        return LoginResult(target)
    target = finished_logins.find_with_tokens(answer.state)
    if target is not None:
        # The browser may have lost the first answer and its tokens. Later it gets the address only.
        outcome = _outcome(CallbackLock(answer.state, answer.code))
        return completion.replay(outcome) if outcome and "next" in outcome else LoginResult(target)
    if not answer.code:
        raise UnknownState("state not in this browser's session")
    return _replay(CallbackLock(answer.state, answer.code))


def _replay(lock: CallbackLock) -> LoginResult:
    """Wait for the first of two equal requests and give the same answer.

    :raises AppError: the first request's error; UnknownState for another browser.
    """
    outcome = _outcome(lock)
    if outcome is None:
        raise UnknownState("state already used")
    if "next" not in outcome:
        raise from_dict(outcome)
    return completion.replay(outcome)


def _outcome(lock: CallbackLock) -> dict[str, Any] | None:
    return lock.wait(current_app.config["PROVIDER_DEADLINE_SECONDS"] + 2)
