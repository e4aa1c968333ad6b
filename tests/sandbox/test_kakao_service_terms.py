"""Kakao Sync in the sandbox: terms on the consent page, and the three calls about them."""

from typing import Any

import pytest
from support.sandbox import SETTINGS, Sandbox, page_of, refused, returned

from kakaoauth.sandbox import ConsentItem

TERMS = (ConsentItem("tos", "required"), ConsentItem("news"))


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(service_terms=TERMS)


def walk(sandbox: Sandbox, *terms: str, **query: str) -> Any:
    """Log in, tick these terms, and return the tokens."""
    answer = sandbox.enter(sandbox.authorize(**query), "haneul")
    assert page_of(answer) == "consent"
    sent = answer.text.split('name="request" value="')[1].split('"')[0]
    data = {"request": sent, "item": ["account_email"], "term": list(terms), "decision": "agree"}
    code = returned(sandbox.browser.post("/oauth/authorize/consent", data=data))["code"]
    return sandbox.exchange(code).json["access_token"]  # type: ignore[index]


def told(sandbox: Sandbox, token: str, **query: str) -> list[tuple[str, bool, bool]]:
    answer = sandbox.call("GET", "/v2/user/service_terms", token, query_string=query)
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert body["id"] == 3902187701
    return [(one["tag"], one["required"], one["agreed"]) for one in body["service_terms"]]


def test_terms_are_agreed_to_on_the_consent_page(sandbox: Sandbox) -> None:
    token = walk(sandbox)
    assert told(sandbox, token) == [("tos", True, True)]
    assert told(sandbox, token, result="app_service_terms") == [("tos", True, True), ("news", False, False)]
    (entry,) = sandbox.call("GET", "/v2/user/service_terms", token).get_json()["service_terms"]
    assert (entry["agreed_by"], entry["revocable"]) == ("KAUTH", False)
    assert entry["agreed_at"].endswith("Z")


def test_only_named_ones_are_shown_and_none_without_a_required_one(sandbox: Sandbox) -> None:
    assert told(sandbox, walk(sandbox, "news", service_terms="tos,news")) == [
        ("tos", True, True),
        ("news", False, True),
    ]
    other = Sandbox(service_terms=TERMS)
    assert told(other, walk(other, "news", service_terms="news")) == []


def test_later_they_are_asked_when_named(sandbox: Sandbox) -> None:
    plain = Sandbox()
    walk(plain)
    plain.state.change_settings(service_terms=TERMS)
    assert plain.authorize().status_code == 302
    assert page_of(plain.authorize(service_terms="tos")) == "consent"
    silent = returned(plain.authorize(service_terms="tos", prompt="none"))
    assert silent["error"] == "interaction_required"


def test_app_upgrades_and_revokes(sandbox: Sandbox) -> None:
    token = walk(sandbox)
    answer = sandbox.call("POST", "/v2/user/upgrade/service_terms", token, data={"tags": "news"}).get_json()
    assert [(one["tag"], one["agreed_by"]) for one in answer["agreed_service_terms"]] == [("news", "KAPI")]
    gone = sandbox.call("POST", "/v2/user/revoke/service_terms", token, data={"tags": "news,tos"}).get_json()
    assert gone["revoked_service_terms"] == [{"tag": "news", "agreed": False}]
    assert told(sandbox, token) == [("tos", True, True)]
    named = sandbox.admin("GET", "/v2/user/service_terms", 3902187701)
    assert named.status_code == 200
    assert SETTINGS.service_terms == ()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/user/service_terms"),
        ("POST", "/v2/user/revoke/service_terms"),
        ("POST", "/v2/user/upgrade/service_terms"),
    ],
)
def test_unknown_tag_is_refused(sandbox: Sandbox, method: str, path: str) -> None:
    where = "query_string" if method == "GET" else "data"
    assert refused(sandbox.call(method, path, walk(sandbox), **{where: {"tags": "nothing"}}), 400, -2)


def test_unlinking_forgets_them_and_a_fault_can_stand_there(sandbox: Sandbox) -> None:
    token = walk(sandbox)
    sandbox.break_("service_terms", "-402")
    assert sandbox.call("GET", "/v2/user/service_terms", token).status_code == 403
    sandbox.call("POST", "/v1/user/unlink", token)
    assert sandbox.state.links == {}


def test_console_switches_them(sandbox: Sandbox) -> None:
    changed = sandbox.api("POST", "console", {"service_terms": {"a": "required", "b": "optional"}})
    assert changed.get_json()["service_terms"] == {"a": "required", "b": "optional"}
    assert sandbox.api("POST", "console", {"service_terms": {"a b": "required"}}).status_code == 400
    assert sandbox.api("POST", "console", {"service_terms": {"a": "maybe"}}).status_code == 400
    page = sandbox.browser.get("/sandbox/console").text
    assert "a required\nb optional" in page
