"""What people have agreed to on Kakao's own page counts here, by the tags."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import KAPI, FakeKakao, begin_login, is_logged_in, log_in
from support.terms import TERMS, agree, come_to_step, newer, rows

from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

#: All of them have a tag.
TAGGED = [{**term, "tag": f"{term['id']}_tag"} for term in TERMS]
LONG_AGO = "2026-01-02T03:04:05Z"


def agreed(*tags: str, at: str | None = LONG_AGO) -> list[dict[str, Any]]:
    """As Kakao lists it."""
    when = {"agreed_at": at, "agreed_by": "KAUTH"} if at else {}
    return [{"tag": tag, "required": True, "agreed": True, "revocable": False, **when} for tag in tags]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_TERMS=TAGGED)


def stored(app: Flask) -> list[tuple[str, str, str, datetime]]:
    with app.app_context():
        found = db.session.query(Consent).order_by(Consent.id)
        return [(row.term, row.version, row.source, row.agreed_at) for row in found]


def test_tags_are_passed_on(app: Flask, client: FlaskClient) -> None:
    assert begin_login(client)["service_terms"] == "age_tag,tos_tag,news_tag"


def test_without_a_required_tag_kakao_is_asked_for_its_own_page(make_app: Callable[..., Flask]) -> None:
    optional = make_app(KAKAOAUTH_TERMS=[TAGGED[2]])
    assert "service_terms" not in begin_login(optional.test_client())
    assert "service_terms" not in begin_login(make_app().test_client())


def test_who_agreed_at_kakao_sees_no_page_here(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.service_terms = agreed("age_tag", "tos_tag", "of_another_site")
    assert log_in(client, kakao).location == "/"
    assert is_logged_in(client)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert stored(app) == [("age", "1", "kakao", moment), ("tos", "2026-01", "kakao", moment)]


def test_what_has_no_tag_is_asked_here(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_TERMS=TERMS)
    client = app.test_client()
    kakao.service_terms = agreed("service_tos")
    path = come_to_step(client, kakao)
    page = client.get(path).text
    assert 'name="agree.tos"' not in page
    assert "카카오에서 이미 동의한 항목" in page
    assert agree(client, path, "age").status_code == 303
    assert [(term, source) for term, _, source, _ in stored(app)] == [("tos", "kakao"), ("age", "page")]


def test_what_was_refused_there_is_asked_here(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.service_terms = [*agreed("age_tag"), {"tag": "tos_tag", "required": True, "agreed": False}]
    path = come_to_step(client, kakao)
    assert agree(client, path, "tos").status_code == 303


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 403, "json": {"msg": "insufficient", "code": -402}},
        {"status_code": 400, "json": {"msg": "There is no tags to get service terms.", "code": -2}},
        {"status_code": 503, "text": "<html>"},
        {"json": {"id": 3902187744}},
        {"json": {"id": 1, "service_terms": agreed("age_tag", "tos_tag")}},
        {"json": {"id": 3902187744, "service_terms": ["age_tag", None, {"tag": 5, "agreed": True}, {"agreed": True}]}},
        {"json": {"id": 3902187744, "service_terms": [{"tag": "age_tag", "agreed": "true"}]}},
    ],
)
def test_kakao_that_does_not_tell_leaves_it_to_the_page(
    app: Flask, client: FlaskClient, kakao: FakeKakao, answer: dict[str, Any]
) -> None:
    kakao.mock.get(f"{KAPI}/v2/user/service_terms", **answer)
    path = come_to_step(client, kakao)
    assert rows(app)["users"] == 0
    assert agree(client, path, "age", "tos").status_code == 303


def test_old_agreement_does_not_answer_for_a_new_version(
    make_app: Callable[..., Flask], app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    kakao.service_terms = agreed("age_tag", "tos_tag")
    log_in(client, kakao)
    later = make_app(KAKAOAUTH_TERMS=[{**term, "tag": f"{term['id']}_tag"} for term in newer("tos")])
    come_to_step(later.test_client(), kakao)
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    kakao.service_terms = agreed("tos_tag", at=soon)
    assert log_in(later.test_client(), kakao).location == "/", "agreed to at Kakao again"


def test_withdrawal_here_is_not_undone(
    make_app: Callable[..., Flask], app: Flask, client: FlaskClient, kakao: FakeKakao
) -> None:
    kakao.service_terms = agreed("age_tag", "tos_tag", "news_tag", at=None)
    log_in(client, kakao)
    page = client.get("/users/me/").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    client.post("/users/me/consents/news/", data={"csrf_token": token, "decision": "withdraw"})
    later = make_app(KAKAOAUTH_TERMS=[{**term, "tag": f"{term['id']}_tag"} for term in newer("age", "2")])
    path = come_to_step(later.test_client(), kakao)
    assert path
    with app.app_context():
        news = db.session.query(Consent).filter_by(term="news").all()
        assert [row.withdrawn_at is not None for row in news] == [True]


def test_known_person_costs_no_call(app: Flask, client: FlaskClient, kakao: FakeKakao) -> None:
    kakao.service_terms = agreed("age_tag", "tos_tag")
    log_in(client, kakao)
    asked = kakao.calls.count("GET /v2/user/service_terms")
    log_in(app.test_client(), kakao)
    assert kakao.calls.count("GET /v2/user/service_terms") == asked == 1


def test_without_tags_kakao_is_not_asked(make_app: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = make_app(KAKAOAUTH_TERMS=[TERMS[0]])
    come_to_step(app.test_client(), kakao)
    assert "GET /v2/user/service_terms" not in kakao.calls
