"""How a login waits in the session."""

import copy
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask, session
from support.provider_app import CLIENT_ID, REDIRECT_URI, Visitor, kakao_of

from kakaoauth.providers import login_state
from kakaoauth.providers.kakao import Kakao
from kakaoauth.providers.login_state import MOST, StateData
from kakaoauth.providers.values import PendingLogin

DATA = {"client_id": "c", "redirect_uri": "r", "nonce": "n", "code_verifier": "v", "next": "/n"}


@pytest.fixture
def kakao_states() -> StateData:
    return StateData("kakao")


@pytest.fixture
def store() -> dict[str, Any]:
    return {"_user_id": "7", "csrf_token": "t"}


def begin(app: Flask, times: int, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
    kakao, states = kakao_of(app), []
    with app.test_request_context():
        for number in range(times):
            address = kakao.begin(REDIRECT_URI, f"/{number}", **kwargs)
            states.append(parse_qs(urlsplit(address).query)["state"][0])
        return states, dict(session)


def test_everything_the_callback_needs_waits_in_the_session(visitor: Visitor) -> None:
    found = visitor.pending
    assert (found.provider, found.state) == ("kakao", visitor.query["state"])
    assert (found.client_id, found.redirect_uri, found.next) == (CLIENT_ID, REDIRECT_URI, "/here")
    assert found.nonce == visitor.query["nonce"]
    assert 43 <= len(found.code_verifier) <= 128
    assert not found.is_late()


def test_session_holds_five_fields_and_no_address(visitor: Visitor) -> None:
    ((key, value),) = visitor.session.items()
    assert key == f"_state_kakao_{visitor.query['state']}"
    assert set(value) == {"data", "exp"}
    assert set(value["data"]) == {"client_id", "redirect_uri", "nonce", "code_verifier", "next"}
    assert value["exp"] == pytest.approx(time.time() + 600, abs=5)


def test_state_nonce_and_verifier_are_never_alike(app: Flask) -> None:
    states, held = begin(app, MOST)
    secrets = states + [value["data"][field] for value in held.values() for field in ("nonce", "code_verifier")]
    assert len(set(secrets)) == 3 * MOST
    assert min(map(len, secrets)) >= 43


def test_unknown_state_is_not_found(visitor: Visitor) -> None:
    with visitor.app.test_request_context():
        session.update(visitor.session)
        for state in ("", "x", visitor.query["state"][:-1], visitor.query["state"] + "x"):
            assert visitor.kakao.find_pending(state) is None


def test_state_of_another_browser_is_not_found(visitor: Visitor) -> None:
    with visitor.app.test_request_context():
        assert visitor.kakao.find_pending(visitor.query["state"]) is None


def test_state_of_another_provider_is_not_found(kakao_states: StateData, store: dict[str, Any]) -> None:
    StateData("facebook").set_state_data(store, "abc", DATA)
    assert kakao_states.get_state_data(store, "abc") is None
    assert StateData("facebook").get_state_data(store, "abc") == DATA


def test_forgotten_state_is_not_found_again(visitor: Visitor) -> None:
    with visitor.app.test_request_context():
        session.update(visitor.session)
        visitor.kakao.forget_pending(visitor.query["state"])
        assert visitor.kakao.find_pending(visitor.query["state"]) is None
        visitor.kakao.forget_pending(visitor.query["state"])
        assert dict(session) == {}


def test_forgetting_one_login_leaves_the_other_tab_alone(app: Flask) -> None:
    (one, two), held = begin(app, 2)
    kakao = kakao_of(app)
    with app.test_request_context():
        session.update(held)
        kakao.forget_pending(one)
        found = kakao.find_pending(two)
        assert found is not None
        assert found.next == "/1"


def test_hundred_starts_leave_ten_logins(app: Flask) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        kakao, states = kakao_of(app), []
        with app.test_request_context():
            for number in range(100):
                clock.shift(1)
                address = kakao.begin(REDIRECT_URI, f"/{number}")
                states.append(parse_qs(urlsplit(address).query)["state"][0])
            assert len(session) == MOST
            assert [kakao.find_pending(state) is not None for state in states] == [False] * 90 + [True] * 10


def test_limit_counts_all_providers_and_keeps_the_newest(kakao_states: StateData, store: dict[str, Any]) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for number in range(MOST):
            StateData("facebook").set_state_data(store, f"f{number}", DATA)
            clock.shift(1)
        kakao_states.set_state_data(store, "k", DATA)
        assert "_state_facebook_f0" not in store
        assert len(store) == MOST + 2
        # Even if the clock is set back, the login that has just begun is not the one to go.
        clock.move_to(1_799_999_000)
        kakao_states.set_state_data(store, "k2", DATA)
        assert kakao_states.get_state_data(store, "k2") == DATA


def test_late_login_is_found_and_late_until_an_hour_old(visitor: Visitor) -> None:
    state, begun = visitor.query["state"], time.time()
    with visitor.app.test_request_context():
        session.update(visitor.session)
        for age, late in ((599, False), (602, True), (3590, True)):
            with time_machine.travel(begun + age, tick=False):
                found = visitor.kakao.find_pending(state)
                assert found is not None
                assert found.is_late() is late
        with time_machine.travel(begun + 3605, tick=False):
            assert visitor.kakao.find_pending(state) is None
            assert visitor.kakao._app.framework.get_state_data(session, state) is None


def test_begin_and_forget_sweep_out_what_is_an_hour_old(visitor: Visitor) -> None:
    touches: tuple[Callable[[Kakao], object], ...] = (
        lambda kakao: kakao.begin(REDIRECT_URI, "/"),
        lambda kakao: kakao.forget_pending("other"),
    )
    for touch in touches:
        with time_machine.travel(time.time() + 3605), visitor.app.test_request_context():
            session.update(visitor.session)
            touch(visitor.kakao)
            assert not any(visitor.query["state"] in key for key in session)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"data": DATA},
        {"data": None, "exp": 9e9},
        {"data": {}, "exp": 9e9},
        {"data": {**DATA, "next": None}, "exp": 9e9},
        {"data": DATA, "exp": "9e9"},
    ],
)
def test_nonsense_in_the_session_is_no_login(app: Flask, value: Any) -> None:
    with app.test_request_context():
        session["_state_kakao_abc"] = value
        assert kakao_of(app).find_pending("abc") is None
        assert kakao_of(app)._app.framework.get_state_data(session, "abc") is None
        kakao_of(app).begin(REDIRECT_URI, "/")


def test_values_in_the_session_are_replaced_never_changed(kakao_states: StateData, store: dict[str, Any]) -> None:
    kakao_states.set_state_data(store, "one", DATA)
    before, frozen = dict(store), copy.deepcopy(store)
    kakao_states.set_state_data(store, "two", DATA)
    kakao_states.clear_state_data(store, "two")
    assert before == frozen
    assert store == frozen


def test_pending_login_keeps_its_secrets_out_of_logs(visitor: Visitor) -> None:
    assert isinstance(visitor.pending, PendingLogin)
    assert visitor.pending.nonce not in repr(visitor.pending)


def test_two_apps_share_no_login(make: Callable[..., Flask], visitor: Visitor) -> None:
    other = kakao_of(make(KAKAO_CLIENT_ID="0" * 32))
    assert other._app.client_id == "0" * 32
    assert visitor.kakao._app.client_id == CLIENT_ID
    assert other._app.framework is not visitor.kakao._app.framework
    assert login_state.LIFETIME == 600
