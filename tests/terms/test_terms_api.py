"""The sign-up step through the API: every way in, and one's own consents."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from support import CLIENT_ID, KAPI, FakeKakao, api_client, new_user, problem, tokens_of
from support.terms import TERMS, everything_in, newer, rows

from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

ADDRESS = "/api/auth/kakao/"
TOKEN = {"access_token": "canary-access-token"}
CODE = {"code": "canary-code", "redirect_uri": "https://app.example.kr/oauth"}
AGREED = {"agreed": ["age", "tos"]}


@pytest.fixture
def app(make_app: Callable[..., Flask], kakao: FakeKakao) -> Flask:
    kakao.mock.get(
        f"{KAPI}/v1/user/access_token_info", json=lambda *_: {"id": kakao.me["id"], "app_id": 654321, "expires_in": 600}
    )
    return make_app(KAKAOAUTH_TERMS=TERMS, KAKAO_APP_ID=654321)


def id_token(kakao: FakeKakao) -> dict[str, str]:
    kakao.id_claims = {"email": "p3902187744@example.kr", "nonce": "n"}
    return {"id_token": kakao._token(None, None)["id_token"], "nonce": "n"}


@pytest.mark.parametrize("way", ["access_token", "code", "id_token"])
def test_second_call_takes_what_was_agreed(app: Flask, kakao: FakeKakao, redis: Redis, way: str) -> None:
    body = {"access_token": lambda: TOKEN, "code": lambda: CODE, "id_token": lambda: id_token(kakao)}[way]()
    before = rows(app)
    client = app.test_client()
    found = problem(client.post(ADDRESS, json=body, headers={"Accept-Language": "en"}), 403, "TERMS_REQUIRED")
    assert found["terms"] == [
        {"id": "age", "title": "I am 14 or older", "url": None, "version": "1", "required": True},
        {
            "id": "tos",
            "title": "Terms of service",
            "url": "https://example.kr/en/terms",
            "version": "2026-01",
            "required": True,
        },
        {
            "id": "news",
            "title": "Marketing messages",
            "url": "https://example.kr/news",
            "version": "1",
            "required": False,
        },
    ]
    assert rows(app) == before
    kept = everything_in(redis)
    for secret in (b"3902187744", b"p3902187744", b"canary"):
        assert secret not in kept
    again = client.post(ADDRESS, json={**body, "agreed": ["age"]})
    problem(again, 403, "TERMS_REQUIRED")
    answer = client.post(ADDRESS, json={**body, **AGREED})
    assert answer.status_code == 201, answer.text
    assert kakao.calls.count("POST /oauth/token") == (1 if way == "code" else 0)
    with app.app_context():
        assert [(row.term, row.source) for row in db.session.query(Consent)] == [("age", "api"), ("tos", "api")]


def test_code_that_was_kept_works_once_and_for_its_own_call(app: Flask, kakao: FakeKakao) -> None:
    client = app.test_client()
    body = {**CODE, "code_verifier": "v" * 43}
    problem(client.post(ADDRESS, json=body), 403, "TERMS_REQUIRED")
    kakao.fails(token={"status_code": 400, "json": {"error": "invalid_grant", "error_code": "KOE320"}})
    thief = {**CODE, "code_verifier": "w" * 43, **AGREED}
    problem(client.post(ADDRESS, json=thief), 401, "INVALID_ACCESS_TOKEN")
    assert client.post(ADDRESS, json={**body, **AGREED}).status_code == 201
    problem(client.post(ADDRESS, json={**body, **AGREED}), 401, "INVALID_ACCESS_TOKEN")


def test_agreed_in_the_first_call(app: Flask) -> None:
    with_versions = {"agreed": [{"id": "age", "version": "1"}, {"id": "tos", "version": "2026-01"}, "news"]}
    assert app.test_client().post(ADDRESS, json={**TOKEN, **with_versions}).status_code == 201


def test_agreement_to_an_old_version_is_none(app: Flask) -> None:
    old = {"agreed": ["age", "of-another-year", {"id": "tos", "version": "2025-01"}]}
    problem(app.test_client().post(ADDRESS, json={**TOKEN, **old}), 403, "TERMS_REQUIRED")


@pytest.mark.parametrize("agreed", ["tos", [5], [{"id": "tos"}], {"tos": True}])
def test_what_is_no_agreement(app: Flask, agreed: Any) -> None:
    found = problem(app.test_client().post(ADDRESS, json={**TOKEN, "agreed": agreed}), 400, "INVALID_REQUEST")
    assert "canary" not in str(found)
    assert rows(app)["users"] == 0


def test_new_version_is_asked_of_a_known_person(make_app: Callable[..., Flask], app: Flask) -> None:
    assert app.test_client().post(ADDRESS, json={**TOKEN, **AGREED}).status_code == 201
    later = make_app(KAKAOAUTH_TERMS=newer("tos"), KAKAO_APP_ID=654321).test_client()
    found = problem(later.post(ADDRESS, json=TOKEN), 403, "TERMS_REQUIRED")
    assert [term["id"] for term in found["terms"]] == ["tos", "news"]
    assert later.post(ADDRESS, json={**TOKEN, "agreed": ["tos"]}).status_code == 200


def test_refusal_writes_no_row_and_is_counted_as_a_step(app: Flask, redis: Redis) -> None:
    app.test_client().post(ADDRESS, json=TOKEN)
    counted = everything_in(redis)
    assert b"terms_asked|kakao" in counted
    assert b"login_refused" not in counted
    app.test_client().post(ADDRESS, json={**TOKEN, **AGREED})
    assert b"terms_agreed|kakao" in everything_in(redis)


# One's own


def person_of(app: Flask) -> tuple[int, Any]:
    user_id = new_user(app, "minji@example.kr", provider="kakao")
    return user_id, api_client(app, tokens_of(app, user_id).access_token)


def test_own_consents_are_given_listed_and_withdrawn(app: Flask) -> None:
    _, client = person_of(app)
    listed = client.get("/api/users/me/consents/").get_json()["items"]
    assert [(one["id"], one["agreed"], one["history"]) for one in listed] == [
        (name, False, []) for name in ("age", "tos", "news")
    ]
    given = client.put("/api/users/me/consents/news/", json={"version": "1"}).get_json()["items"][2]
    assert given["agreed"]
    assert given["history"][0]["source"] == "api"
    gone = client.delete("/api/users/me/consents/news/").get_json()["items"][2]
    assert not gone["agreed"]
    assert gone["history"][0]["withdrawn_at"]
    assert client.delete("/api/users/me/consents/news/").status_code == 200
    assert client.put("/api/users/me/consents/tos/").status_code == 200
    problem(client.delete("/api/users/me/consents/tos/"), 409, "CONSENT_NEEDED")
    problem(client.put("/api/users/me/consents/news/", json={"version": "0"}), 409, "TERMS_CHANGED")
    problem(client.put("/api/users/me/consents/none/"), 404, "NOT_FOUND")
    problem(client.delete("/api/users/me/consents/none/"), 404, "NOT_FOUND")


def test_client_id_is_the_tests(app: Flask) -> None:
    assert app.config["KAKAO_CLIENT_ID"] == CLIENT_ID
