"""Several users at once: chosen on the list, asked for on one page, done one by one with an audit event each."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import csrf_token, is_logged_in

from kakaoauth.audit import AuditEvent
from kakaoauth.models import User
from kakaoauth.staff.bulk_actions import MOST
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db

ClientAs = Callable[[str], FlaskClient]
People = dict[str, int]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def hana(client_as: ClientAs) -> FlaskClient:
    return client_as("hana")


def press(client: FlaskClient, action: str, ids: list[int], **more: str) -> Any:
    form = {"csrf_token": csrf_token(client), "users": ",".join(map(str, ids)), "reason": "spam"}
    form |= {"number": str(len(ids)), **more}
    return client.post(f"/users/many/{action}/", data=form, headers=ENGLISH)


def suspended(app: Flask) -> set[int]:
    with app.app_context():
        return set(db.session.scalars(db.select(User.id).where(~User.is_active)))


def events(app: Flask, action: str) -> list[tuple[int | None, int | None, str]]:
    with app.app_context():
        query = db.select(AuditEvent).filter_by(action=action, result="done").order_by(AuditEvent.id)
        return [(event.actor_id, event.target_id, event.reason) for event in db.session.scalars(query)]


def test_page_names_whom_it_is_about_and_how_many(hana: FlaskClient, people: People) -> None:
    chosen = [("user", people[name]) for name in ("minji", "sora", "hana")]
    page = hana.get("/users/many/suspend/", query_string=[*chosen, ("user", "x"), ("user", 10**30)], headers=ENGLISH)
    assert page.status_code == 200
    assert "Suspend 2 users" in page.text  # not oneself
    assert "Type 2, the number of users" in page.text
    assert f'value="{people["minji"]},{people["sora"]}"' in page.text
    assert "Nobody is chosen for whom" in hana.get("/users/many/suspend/", headers=ENGLISH).text


def test_each_is_suspended_with_an_event_of_their_own(
    app: Flask, hana: FlaskClient, client_as: ClientAs, people: People
) -> None:
    minji = client_as("minji")
    ids = [people["minji"], people["sora"]]
    answer = press(hana, "suspend", ids, until="2099-01-01")
    assert answer.status_code == 400  # too far off
    answer = press(hana, "suspend", ids, text="Please read our rules.")
    assert answer.status_code == 302
    assert suspended(app) == set(ids)
    assert events(app, "user changed") == [(people["hana"], user_id, "spam") for user_id in ids]
    assert not is_logged_in(minji)
    assert "2 users" in hana.get("/users/", headers=ENGLISH).text


def test_sessions_of_each_are_ended(app: Flask, hana: FlaskClient, client_as: ClientAs, people: People) -> None:
    minji, sora = client_as("minji"), client_as("sora")
    assert press(hana, "end-sessions", [people["minji"], people["sora"]]).status_code == 302
    assert not is_logged_in(minji)
    assert not is_logged_in(sora)
    assert is_logged_in(hana)
    assert len(events(app, "sessions ended")) == 2


@pytest.mark.parametrize("wrong", [{"reason": ""}, {"number": "3"}, {"number": ""}])
def test_nothing_happens_without_reason_and_number(
    app: Flask, hana: FlaskClient, people: People, wrong: dict[str, str]
) -> None:
    assert press(hana, "suspend", [people["minji"], people["sora"]], **wrong).status_code == 400
    assert suspended(app) == set()


def test_staff_may_not_and_a_stale_login_is_asked_to_confirm(
    app: Flask, client_as: ClientAs, people: People, time_machine: Any
) -> None:
    sora = client_as("sora")
    assert sora.get(f"/users/many/suspend/?user={people['minji']}").status_code == 403
    assert press(sora, "suspend", [people["minji"]]).status_code == 403
    hana = client_as("hana")
    time_machine.move_to(now() + timedelta(seconds=600))
    answer = press(hana, "suspend", [people["minji"]])
    assert answer.status_code == 302
    assert "/confirm" in answer.location
    assert suspended(app) == set()
    kept = hana.get("/users/many/suspend/", headers=ENGLISH).text
    assert f'name="users" value="{people["minji"]}"' in kept


def test_another_superuser_can_be_chosen_as_one_is_left(app: Flask, hana: FlaskClient, people: People) -> None:
    with app.app_context():
        boss = User.objects.create_user("boss@example.kr", nickname="boss", is_staff=True, is_superuser=True)
        db.session.commit()
        other = boss.id
    press(hana, "suspend", [people["minji"], other])
    assert suspended(app) == {people["minji"], other}  # hana is left


def test_no_more_than_a_page_at_once(app: Flask, hana: FlaskClient) -> None:
    with app.app_context():
        db.session.add_all(User(nickname=f"n{number}") for number in range(MOST + 10))
        db.session.commit()
        ids = list(db.session.scalars(db.select(User.id).where(User.nickname.like("n%")).order_by(User.id)))
    page = hana.get("/users/many/suspend/", query_string=[("user", one) for one in ids], headers=ENGLISH).text
    assert f"Suspend {MOST} users" in page


def test_chosen_users_are_exported_by_staff(app: Flask, client_as: ClientAs, people: People) -> None:
    sora = client_as("sora")
    page = sora.get(f"/users/export/?user={people['minji']}&user={people['hana']}", headers=ENGLISH).text
    assert "Export 2 users" in page
    form = {"csrf_token": csrf_token(sora), "users": f"{people['minji']},{people['hana']}"}
    text = sora.post("/users/export.csv", data=form).text
    assert "minji@example.kr" in text
    assert "hana@example.kr" in text
    assert "sora@example.kr" not in text
    nobody = sora.post("/users/export.csv", data={**form, "users": "x"}).text
    assert "example.kr" not in nobody
