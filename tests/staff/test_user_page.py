"""One user for the staff, and what superusers decide about them: seen, asked, done with a reason, or refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, api_client, csrf_token, is_logged_in, problem, tokens_of
from support.concurrency import at_once

from kakaoauth.accounts import leaving, roles
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.audit import AuditEvent
from kakaoauth.errors import Forbidden, LastSuperuser
from kakaoauth.models import Identity, User
from kakaoauth.staff.action_texts import ACTIONS
from kakaoauth.storage.database import db

REASON = "asked for it by phone"
ENGLISH = {"Accept-Language": "en"}

People = dict[str, int]
ClientAs = Callable[[str], FlaskClient]


def address(user_id: int, decision: str = "") -> str:
    return f"/users/{user_id}/{decision}/" if decision else f"/users/{user_id}/"


def decide(client: FlaskClient, user_id: int, decision: str, /, **fields: str) -> Any:
    """Press the button on the page that asks."""
    form = {"csrf_token": csrf_token(client), "reason": REASON, **fields}
    return client.post(address(user_id, decision), data=form, headers=ENGLISH)


def change(app: Flask, user_id: int, **values: Any) -> None:
    with app.app_context():
        user = db.session.get(User, user_id)
        assert user
        for name, value in values.items():
            setattr(user, name, value)
        db.session.commit()


def state(app: Flask, user_id: int) -> tuple[bool, bool, bool] | None:
    with app.app_context():
        user = db.session.get(User, user_id)
        return (user.is_active, user.is_staff, user.is_superuser) if user else None


def events(app: Flask, *actions: str) -> list[AuditEvent]:
    with app.app_context():
        query = db.select(AuditEvent).where(AuditEvent.action.in_(actions)).order_by(AuditEvent.id)
        return list(db.session.scalars(query))


@pytest.fixture
def hana(client_as: ClientAs) -> FlaskClient:
    return client_as("hana")


@pytest.fixture
def two_ways(app: Flask, people: People) -> int:
    """One more login for minji; its identity's number."""
    with app.app_context():
        identity = Identity(provider="facebook", subject="77", user_id=people["minji"])
        db.session.add(identity)
        db.session.commit()
        return identity.id


# Looking


def test_staff_see_everything_and_nothing_to_press(client_as: ClientAs, people: People) -> None:
    client_as("minji")
    page = client_as("sora").get(address(people["minji"]), headers=ENGLISH).text
    for told in (
        "minji@example.kr",
        "<code>1000</code>",
        "Active sessions",
        "Recent activity",
        "<strong>Login</strong>",
    ):
        assert told in page
    for hidden in ("/suspend/", "/delete/", "/users/audit/", "Danger zone"):
        assert hidden not in page


def test_superusers_are_offered_what_would_change_something(
    app: Flask, hana: FlaskClient, people: People, two_ways: int
) -> None:
    def offered(user_id: int) -> set[str]:
        page = hana.get(address(user_id)).text
        return {name for name in (*ACTIONS, f"unlink/{two_ways}") if f'href="{address(user_id, name)}"' in page}

    always = {"end-sessions", "delete"}
    minji, sora, boss = people["minji"], people["sora"], people["hana"]
    assert offered(minji) == {"make-staff", "make-superuser", "suspend", f"unlink/{two_ways}", *always}
    assert offered(sora) == {"make-superuser", "demote", "suspend", *always}
    assert offered(boss) == {"make-staff", "demote", "suspend", *always}
    change(app, minji, is_active=False)
    assert offered(minji) == {"make-staff", "make-superuser", "reactivate", f"unlink/{two_ways}", *always}


def test_unlinks_that_wait_stand_on_the_page(app: Flask, hana: FlaskClient, people: People) -> None:
    with app.app_context():
        for name in ("minji", "sora"):
            db.session.add(UnlinkJob(provider="facebook", subject=f"of-{name}", user_id=people[name]))
        db.session.commit()
    page = hana.get(address(people["minji"])).text
    assert "of-minji" in page
    assert "of-sora" not in page


def test_events_are_those_about_the_user_and_by_them(hana: FlaskClient, client_as: ClientAs, people: People) -> None:
    sora = client_as("sora")
    decide(hana, people["minji"], "suspend")
    about, by = (sora.get(address(people[name]), headers=ENGLISH).text for name in ("minji", "hana"))
    for page in (about, by):
        assert "Role or state changed" in page
        assert REASON in page
        assert "suspended" in page
    assert "Role or state changed" not in sora.get(address(people["sora"]), headers=ENGLISH).text


def test_page_costs_the_same_however_much_has_happened(
    app: Flask, hana: FlaskClient, people: People, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    page = address(people["minji"])
    hana.get(page)
    few = count_statements(lambda: hana.get(page))
    with app.app_context():
        for number in range(60):
            db.session.add(AuditEvent(action="login", result="done", target_id=people["minji"], actor_id=number))
        db.session.commit()
    assert count_statements(lambda: hana.get(page)) == few <= 10
    assert hana.get(page).text.count("<tr>") == 21


# Asking


def test_page_that_asks_says_what_happens_to_whom(app: Flask, hana: FlaskClient, people: People, two_ways: int) -> None:
    for decision in (*ACTIONS, f"unlink/{two_ways}"):
        closed = {"closed_at": datetime.now(UTC), "is_active": False} if decision == "restore" else {"closed_at": None}
        change(app, people["minji"], is_staff=decision == "demote", is_active=decision != "reactivate")
        change(app, people["minji"], **closed)
        answer = hana.get(address(people["minji"], decision), headers=ENGLISH)
        assert answer.status_code == 200, decision
        for told in ("What will happen", "minji@example.kr", 'name="reason"', 'minlength="2"', 'maxlength="200"'):
            assert told in answer.text, decision
        assert ('name="number"' in answer.text) == (decision == "delete")


def test_nothing_happens_by_get(app: Flask, hana: FlaskClient, people: People) -> None:
    before = state(app, people["minji"])
    for decision in ACTIONS:
        hana.get(address(people["minji"], decision), query_string={"reason": REASON, "number": people["minji"]})
    assert state(app, people["minji"]) == before


def test_reason_that_is_none_is_asked_for_again(app: Flask, hana: FlaskClient, people: People) -> None:
    for reason in ("", "  ", "a", "스", " a ", "\u200b" * 5, "\u202e\u2066\0", "x" * 201, "가" * 201, "x" * 100_000):
        answer = decide(hana, people["minji"], "suspend", reason=reason)
        assert answer.status_code == 400, reason
        assert "Please give a reason of 2 to 200 characters." in answer.text
    assert state(app, people["minji"]) == (True, False, False)
    assert events(app, "user changed") == []


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("abc", "abc"),
        ("가" * 200, "가" * 200),
        ("  two\n lines\x1b[31m ", "two lines[31m"),
        ('"><script>alert(1)</script>', '"><script>alert(1)</script>'),
    ],
)
def test_reason_is_kept_clean_and_shown_escaped(
    app: Flask, hana: FlaskClient, people: People, reason: str, kept: str
) -> None:
    assert decide(hana, people["minji"], "suspend", reason=reason).status_code == 302
    (event,) = events(app, "user changed")
    assert event.reason == kept
    assert "<script>alert" not in hana.get(address(people["minji"])).text


def test_nothing_happens_without_the_forms_token_nor_from_another_site(
    app: Flask, hana: FlaskClient, people: People
) -> None:
    form = {"reason": REASON, "number": people["minji"]}
    token = {"csrf_token": csrf_token(hana)}
    for decision in ACTIONS:
        page = address(people["minji"], decision)
        assert hana.post(page, data=form).status_code == 400
        foreign = hana.post(page, data={**form, **token}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 400
    assert state(app, people["minji"]) == (True, False, False)


# Who may


@pytest.mark.parametrize(("name", "status"), [("anonymous", 302), ("minji", 403), ("sora", 403), ("gone", 302)])
def test_whoever_is_no_superuser_reaches_no_decision(
    app: Flask, client_as: ClientAs, people: People, two_ways: int, name: str, status: int
) -> None:
    client, target = client_as(name), people["minji"]
    form = {"reason": REASON, "number": target}
    if name == "sora":
        form["csrf_token"] = csrf_token(client)
    for decision in (*ACTIONS, f"unlink/{two_ways}"):
        page = address(target, decision)
        assert (client.get(page).status_code, client.post(page, data=form).status_code) == (status, status)
    assert state(app, target) == (True, False, False)


def test_decision_about_nobody_is_404(hana: FlaskClient) -> None:
    token = csrf_token(hana)
    for number, decision in product(("0", "999", str(2**63), "9" * 40), (*ACTIONS, "unlink/1")):
        form = {"csrf_token": token, "reason": REASON, "number": number}
        assert hana.get(f"/users/{number}/{decision}/").status_code == 404
        assert hana.post(f"/users/{number}/{decision}/", data=form).status_code == 404


def test_decision_that_does_not_exist_is_404(hana: FlaskClient, people: People) -> None:
    for decision in ("nonsense", "suspended", "SUSPEND", "unlink", "unlink/x", "unlink/999"):
        assert hana.get(address(people["minji"], decision)).status_code == 404, decision


def test_identity_of_another_is_404(app: Flask, hana: FlaskClient, people: People, two_ways: int) -> None:
    page = address(people["sora"], f"unlink/{two_ways}")
    assert hana.get(page).status_code == decide(hana, people["sora"], f"unlink/{two_ways}").status_code == 404
    assert events(app, "unlinked") == []


def test_superuser_who_was_demoted_while_the_form_was_open_is_refused(
    app: Flask, hana: FlaskClient, people: People
) -> None:
    form = {"csrf_token": csrf_token(hana), "reason": REASON}
    assert hana.get(address(people["minji"], "suspend")).status_code == 200
    change(app, people["hana"], is_superuser=False)
    assert hana.post(address(people["minji"], "suspend"), data=form).status_code == 403
    assert state(app, people["minji"]) == (True, False, False)


# Doing


@pytest.mark.parametrize(
    ("decision", "before", "after", "changed"),
    [
        ("make-staff", (True, False, False), (True, True, False), "+is_staff"),
        ("make-staff", (True, True, True), (True, True, False), "-is_superuser"),
        ("make-superuser", (True, False, False), (True, True, True), "+is_staff,+is_superuser"),
        ("make-superuser", (True, True, False), (True, True, True), "+is_superuser"),
        ("demote", (True, True, True), (True, False, False), "-is_staff,-is_superuser"),
        ("suspend", (True, True, False), (False, True, False), "-is_active"),
        ("reactivate", (False, False, False), (True, False, False), "+is_active"),
    ],
)
def test_decision_changes_the_user_and_leaves_one_event(
    app: Flask, hana: FlaskClient, people: People, decision: str, before: Any, after: Any, changed: str
) -> None:
    minji = people["minji"]
    change(app, minji, **dict(zip(("is_active", "is_staff", "is_superuser"), before, strict=True)))
    answer = decide(hana, minji, decision)
    assert (answer.status_code, answer.location) == (302, address(minji))
    assert state(app, minji) == after
    (event,) = events(app, "user changed")
    assert (event.target_id, event.actor_id, event.reason, event.result) == (minji, people["hana"], REASON, "done")
    assert set(event.told["changed"].split(",")) == set(changed.split(","))
    page = hana.get(address(minji), headers=ENGLISH)
    assert "minji" in page.text.split('role="status">', 1)[1].split("<", 1)[0]
    assert 'role="status"' not in hana.get(address(minji)).text, "told once"


def test_decision_counts_from_the_next_click(hana: FlaskClient, client_as: ClientAs, people: People) -> None:
    minji = client_as("minji")
    assert minji.get("/users/").status_code == 403
    decide(hana, people["minji"], "make-staff")
    assert minji.get("/users/").status_code == 200
    decide(hana, people["minji"], "demote")
    assert minji.get("/users/").status_code == 403
    assert is_logged_in(minji)


@pytest.mark.parametrize("decision", ["suspend", "end-sessions", "delete"])
def test_whoever_is_shut_out_is_out_everywhere(
    app: Flask, hana: FlaskClient, client_as: ClientAs, people: People, redis: Any, kakao: FakeKakao, decision: str
) -> None:
    minji, pair = client_as("minji"), tokens_of(app, people["minji"])
    assert decide(hana, people["minji"], decision, number=str(people["minji"])).status_code == 302
    assert not is_logged_in(minji)
    problem(api_client(app, pair.access_token).get("/api/users/me/"), 401, "INVALID_ACCESS_TOKEN")
    refused = app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token})
    problem(refused, 401, "EXPIRED_TOKEN")
    assert len(redis.keys("session:*")) == 1, "hana's own, and nothing of minji's browser"
    told = "POST /v1/user/unlink" if decision == "delete" else "POST /v1/user/logout"
    assert kakao.calls.count(told) == 1


def test_letting_in_again_does_not_bring_sessions_back(
    app: Flask, hana: FlaskClient, client_as: ClientAs, people: People
) -> None:
    minji = client_as("minji")
    decide(hana, people["minji"], "suspend")
    decide(hana, people["minji"], "reactivate")
    assert not is_logged_in(minji)
    assert is_logged_in(client_as("minji"))


def test_ending_all_sessions_is_one_event_with_the_reason(app: Flask, hana: FlaskClient, people: People) -> None:
    assert decide(hana, people["minji"], "end-sessions").location == address(people["minji"])
    (event,) = events(app, "sessions ended")
    assert (event.target_id, event.actor_id, event.reason) == (people["minji"], people["hana"], REASON)


def test_account_is_deleted_only_with_its_number(app: Flask, hana: FlaskClient, people: People) -> None:
    minji = people["minji"]
    for number in ("", "0", str(people["sora"]), "minji"):
        answer = decide(hana, minji, "delete", number=number)
        assert answer.status_code == 400
        assert "The number does not fit. Nothing was deleted." in answer.text
        assert REASON in answer.text, "it need not be typed again"
    assert state(app, minji)
    answer = decide(hana, minji, "delete", number=f" {minji} ")
    assert (answer.status_code, answer.location) == (302, "/users/")
    assert state(app, minji) is None
    (event,) = events(app, "deleted", "withdrawn")
    assert (event.action, event.target_id, event.actor_id, event.reason) == ("deleted", minji, people["hana"], REASON)
    assert "The account of minji is deleted." in hana.get("/users/", headers=ENGLISH).text
    assert hana.get(address(minji)).status_code == 404


def test_one_login_is_unlinked_and_the_provider_told(
    app: Flask, hana: FlaskClient, client_as: ClientAs, people: People, kakao: FakeKakao, two_ways: int
) -> None:
    minji = client_as("minji")
    with app.app_context():
        kakao_id = db.session.scalar(db.select(Identity.id).where(Identity.subject == "1000"))
    assert decide(hana, people["minji"], f"unlink/{kakao_id}").location == address(people["minji"])
    assert not is_logged_in(minji)
    assert kakao.calls.count("POST /v1/user/unlink") == 1
    (event,) = events(app, "unlinked")
    assert (event.target_id, event.actor_id, event.provider) == (people["minji"], people["hana"], "kakao")
    assert event.reason == REASON


def test_only_way_in_stays(app: Flask, hana: FlaskClient, people: People) -> None:
    with app.app_context():
        only = db.session.scalar(db.select(Identity.id).where(Identity.subject == "1000"))
    answer = decide(hana, people["minji"], f"unlink/{only}")
    assert answer.status_code == 409
    assert "This is their only sign-in method" in answer.text
    assert address(people["minji"]) in answer.text
    (event,) = events(app, "unlinked")
    assert (event.result, event.reason, event.target_id) == ("refused", "LAST_WAY_IN", people["minji"])


def test_button_pressed_twice_is_no_mistake_and_one_event(app: Flask, hana: FlaskClient, people: People) -> None:
    assert [decide(hana, people["minji"], "suspend").status_code for _ in range(2)] == [302, 302]
    assert "No change needed" in hana.get(address(people["minji"]), headers=ENGLISH).text
    assert hana.get(address(people["minji"], "suspend")).status_code == 302
    assert len(events(app, "user changed")) == 1


def test_field_that_was_not_asked_for_changes_nothing(app: Flask, hana: FlaskClient, people: People) -> None:
    decide(hana, people["minji"], "make-staff", is_superuser="true", user_id=str(people["sora"]), id="1")
    assert state(app, people["minji"]) == (True, True, False)
    assert state(app, people["sora"]) == (True, True, False)


# Oneself


def test_last_superuser_stays(app: Flask, hana: FlaskClient, people: People) -> None:
    me, decisions = people["hana"], ("make-staff", "demote", "suspend", "delete")
    for decision in decisions:
        answer = decide(hana, me, decision, number=str(me))
        assert answer.status_code == 409
        assert "This is the last superuser" in answer.text
        assert state(app, me) == (True, True, True)
    found = events(app, "user changed", "deleted")
    assert [(event.result, event.reason) for event in found] == [("refused", "LAST_SUPERUSER")] * len(decisions)
    assert {(event.target_id, event.actor_id) for event in found} == {(me, me)}


def test_suspended_superuser_does_not_count_as_another(app: Flask, hana: FlaskClient, people: People) -> None:
    change(app, people["sora"], is_superuser=True, is_active=False)
    assert decide(hana, people["hana"], "demote").status_code == 409


@pytest.mark.parametrize(
    ("decision", "location", "stays_in"),
    [
        ("make-staff", "/users/me/", True),
        ("demote", "/users/me/", True),
        ("suspend", "/", False),
        ("end-sessions", "/", False),
        ("delete", "/", False),
    ],
)
def test_superuser_may_go_where_another_one_stays(
    app: Flask, hana: FlaskClient, people: People, decision: str, location: str, stays_in: bool
) -> None:
    change(app, people["sora"], is_superuser=True)
    me = people["hana"]
    assert "This is you." in hana.get(address(me, decision), headers=ENGLISH).text
    answer = decide(hana, me, decision, number=str(me))
    assert (answer.status_code, answer.location) == (302, location)
    assert is_logged_in(hana) == stays_in
    (event,) = events(app, "user changed", "sessions ended", "deleted")
    assert (event.actor_id, event.target_id, event.result) == (me, me, "done")


def test_superuser_who_unlinks_a_login_of_their_own_stays_in(app: Flask, hana: FlaskClient, people: People) -> None:
    with app.app_context():
        identity = Identity(provider="facebook", subject="78", user_id=people["hana"])
        db.session.add(identity)
        db.session.commit()
        number = identity.id
    assert decide(hana, people["hana"], f"unlink/{number}").location == "/users/me/"
    assert is_logged_in(hana)


# At the same moment


ACTS: dict[str, Callable[[int, int], Any]] = {
    "demote": lambda by, target: roles.change_user(target, by=by, reason=REASON, is_staff=False),
    "suspend": lambda by, target: roles.change_user(target, by=by, reason=REASON, is_active=False),
    "delete": lambda by, target: leaving.delete_user(target, by=by, reason=REASON),
}


@pytest.mark.parametrize(
    ("how", "bystanders"), [(("demote", "demote"), 1), (("suspend", "demote"), 0), (("delete", "delete"), 1)]
)
def test_of_two_superusers_who_act_on_each_other_at_once_one_is_refused(
    site: Flask, how: tuple[str, str], bystanders: int
) -> None:
    """Also where a third would stay: a role that was just lost stays lost."""
    with site.app_context():
        users = [User.objects.create_superuser(f"boss{number}@example.kr") for number in range(2 + bystanders)]
        db.session.commit()
        one, other = users[0].id, users[1].id
    ended = at_once(site, lambda: ACTS[how[0]](one, other), lambda: ACTS[how[1]](other, one))
    refused = [end for end in ended if isinstance(end, Exception)]
    assert len(refused) == 1, ended
    assert isinstance(refused[0], Forbidden | LastSuperuser)
    with site.app_context():
        left = db.session.scalars(db.select(User).where(User.is_superuser, User.is_active)).all()
        assert len(left) == 1 + bystanders
        rows = db.session.scalars(db.select(AuditEvent.result).where(AuditEvent.action != "superuser created"))
        assert sorted(rows) == ["done", "refused"]


def test_of_two_browsers_that_suspend_each_other_one_stays_in_charge(
    app: Flask, client_as: ClientAs, people: People
) -> None:
    change(app, people["sora"], is_superuser=True)
    sora, hana = client_as("sora"), client_as("hana")
    forms = [{"csrf_token": csrf_token(client), "reason": REASON} for client in (sora, hana)]
    answers = at_once(
        app,
        lambda: sora.post(address(people["hana"], "suspend"), data=forms[0]).status_code,
        lambda: hana.post(address(people["sora"], "suspend"), data=forms[1]).status_code,
    )
    states = [state(app, people[name]) for name in ("sora", "hana")]
    assert sorted(states, key=str) == [(False, True, True), (True, True, True)], answers
    assert len([event for event in events(app, "user changed") if event.result == "done"]) == 1


def test_two_characters_are_a_reason(client_as: Callable[[str], FlaskClient], people: dict[str, int]) -> None:
    hana = client_as("hana")
    assert 'minlength="2"' in hana.get(f"/users/{people['minji']}/suspend/").text
    assert decide(hana, people["minji"], "suspend", reason=" 스팸 ").status_code == 302
    assert "스팸" in hana.get(f"/users/{people['minji']}/").text
