"""Kakao Sync: the app's service terms of one user, read, agreed to and withdrawn by the app."""

from typing import Any

from flask import Blueprint, Response

from kakaoauth.sandbox.clock import utc_text
from kakaoauth.sandbox.errors import KapiError
from kakaoauth.sandbox.kakao.authentication import Caller, find_caller, parameters
from kakaoauth.sandbox.kakao.authorization_request import split_list
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.model import AuthorizationRequest, Link
from kakaoauth.sandbox.state.settings import ConsentItem, SandboxSettings

bp = Blueprint("service_terms", __name__)

RESULTS = ("agreed_service_terms", "app_service_terms")


def terms_to_ask(settings: SandboxSettings, link: Link | None, wanted: AuthorizationRequest) -> list[ConsentItem]:
    """Return the terms for the consent page, in the console's order.

    First link: those that are named, else every one. Later: those that are named. Without a required one among them
    none is shown.
    """
    agreed = link.terms if link else {}
    named = [term for term in settings.service_terms if wanted.terms is None or term.id in wanted.terms]
    if link is not None and wanted.terms is None:
        return []
    open_ = [term for term in named if term.id not in agreed]
    return open_ if any(term.required for term in open_) else []


@bp.get("/v2/user/service_terms")
def show() -> Response:
    """The terms that the user has agreed to, or with `result=app_service_terms` the app's. :raise KapiError: -2"""
    caller = find_caller()
    sent = parameters()
    result = sent.get("result", RESULTS[0])
    if result not in RESULTS:
        raise KapiError(-2, f"result must be one of {', '.join(RESULTS)}")
    wanted = split_list(sent.get("tags", ""))
    known = [term for term in current_state().settings.service_terms if not wanted or term.id in wanted]
    if wanted and not known:
        raise _nothing("get service terms", wanted)
    shown = [term for term in known if result == RESULTS[1] or term.id in caller.link.terms]
    entries = [_describe(term, caller) for term in shown]
    return json_answer({"id": caller.link.user_id, "service_terms": entries})


@bp.post("/v2/user/revoke/service_terms")
def revoke() -> Response:
    """Withdraw terms; only those that were withdrawn are named. :raise KapiError: -2"""
    state = current_state()
    caller = find_caller()
    wanted = _wanted("revoke")
    with state.changing():
        gone = [term for term in wanted if not term.required and term.id in caller.link.terms]
        for term in gone:
            del caller.link.terms[term.id]
    return json_answer(
        {"id": caller.link.user_id, "revoked_service_terms": [{"tag": term.id, "agreed": False} for term in gone]}
    )


@bp.post("/v2/user/upgrade/service_terms")
def upgrade() -> Response:
    """Note that the user has agreed on a page of the site. :raise KapiError: -2"""
    state = current_state()
    caller = find_caller()
    wanted = _wanted("upgrade service terms")
    with state.changing():
        for term in wanted:
            caller.link.terms.setdefault(term.id, [state.clock.now(), "KAPI"])
    shown = ("tag", "agreed", "agreed_at", "agreed_by")
    entries = [{name: _describe(term, caller)[name] for name in shown} for term in wanted]
    return json_answer({"id": caller.link.user_id, "agreed_service_terms": entries})


def _wanted(verb: str) -> list[ConsentItem]:
    tags = split_list(parameters().get("tags", ""))
    found = [term for term in current_state().settings.service_terms if term.id in tags]
    if not tags or len(found) < len(set(tags)):
        raise _nothing(verb, tags)
    return found


def _describe(term: ConsentItem, caller: Caller) -> dict[str, Any]:
    given = caller.link.terms.get(term.id)
    entry: dict[str, Any] = {"tag": term.id, "required": term.required, "agreed": given is not None}
    entry["revocable"] = given is not None and not term.required
    return entry if given is None else entry | {"agreed_at": utc_text(given[0]), "agreed_by": given[1]}


def _nothing(verb: str, tags: list[str]) -> KapiError:
    return KapiError(-2, f"There is no tags to {verb}. check out if given tags([{', '.join(tags)}]) is correct again.")
