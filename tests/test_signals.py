"""What a host is told: once, after the commit, and never of what did not happen."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao, csrf_token, log_in, person

from kakaoauth import signals
from kakaoauth.accounts import leaving
from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import after_commit, transaction

Told = list[tuple[str, dict[str, Any]]]
NAMES = [name for name in vars(signals) if name.startswith(("user_", "identity_", "login_"))]


@pytest.fixture
def told(app: Flask) -> Iterator[Told]:
    """What this app has sent, and that everything is in the database by then."""
    heard: Told = []

    def listener(name: str) -> Any:
        def listen(sender: Flask, **values: Any) -> None:
            assert not db.session().in_transaction()
            heard.append((name, values))

        return listen

    listeners = {name: listener(name) for name in NAMES}
    for name, listen in listeners.items():
        getattr(signals, name).connect(listen, sender=app)
    yield heard
    for name, listen in listeners.items():
        getattr(signals, name).disconnect(listen, sender=app)


def test_login_logout_and_leaving_are_told(app: Flask, client: FlaskClient, kakao: FakeKakao, told: Told) -> None:
    log_in(client, kakao)
    client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})
    log_in(client, kakao)
    with app.app_context():
        user_id = db.session.scalars(db.select(User.id)).one()
        leaving.withdraw(user_id)
    who = {"user_id": user_id}
    assert told == [
        ("user_signed_up", {**who, "provider": "kakao"}),
        ("user_logged_in", {**who, "provider": "kakao", "is_new": True}),
        ("user_logged_out", who),
        ("user_logged_in", {**who, "provider": "kakao", "is_new": False}),
        ("user_left", who),
    ]


def test_refused_login_is_told_and_nothing_else(client: FlaskClient, kakao: FakeKakao, told: Told) -> None:
    kakao.me = person(1, email=None, email_needs_agreement=True)
    assert log_in(client, kakao).status_code == 403
    ((name, values),) = told
    assert (name, values["provider"], values["error"].code) == ("login_refused", "kakao", "EMAIL_REQUIRED")


def test_what_was_rolled_back_is_not_told(app: Flask, told: Told) -> None:
    @transaction
    def fail() -> None:
        after_commit(signals.user_left, user_id=1)
        raise ValueError

    @transaction
    def succeed() -> None:
        after_commit(signals.user_left, user_id=2)

    with app.app_context():
        with pytest.raises(ValueError):
            fail()
        assert told == []
        succeed()
    assert told == [("user_left", {"user_id": 2})]


def test_receiver_that_fails_undoes_nothing(
    app: Flask, client: FlaskClient, kakao: FakeKakao, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(sender: Flask, **values: Any) -> None:
        raise RuntimeError

    with signals.user_logged_in.connected_to(fail, sender=app):
        assert log_in(client, kakao).status_code == 302
    assert client.get("/users/me/").status_code == 200
    assert "a receiver of the signal user_logged_in failed" in caplog.text
