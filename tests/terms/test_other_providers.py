"""The sign-up step after a login with another provider than Kakao."""

from collections.abc import Callable, Iterator

import pytest
import requests_mock
from flask import Flask
from redis import Redis
from support import is_logged_in
from support.facebook import ACCESS_TOKEN, GRAPH, SETTINGS, SUBJECT, FakeFacebook, log_in
from support.terms import TERMS, agree, cancel, everything_in, rows

from kakaoauth.storage.database import db
from kakaoauth.tokens import provider_tokens
from kakaoauth.tokens.provider_tokens import ProviderToken


@pytest.fixture
def facebook() -> Iterator[FakeFacebook]:
    with requests_mock.Mocker() as mock:
        yield FakeFacebook(mock)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(**SETTINGS, KAKAOAUTH_TERMS=TERMS)


def test_tokens_of_the_login_are_there_after_it(app: Flask, facebook: FakeFacebook, redis: Redis) -> None:
    client = app.test_client()
    path = log_in(client).location
    assert path.startswith("/sign-up/")
    kept = everything_in(redis)
    assert SUBJECT.encode() not in kept
    assert ACCESS_TOKEN.encode() not in kept
    assert agree(client, path, "age", "tos").status_code == 303
    assert is_logged_in(client)
    with app.app_context():
        tokens = provider_tokens.read(db.session.query(ProviderToken).one())
    assert tokens
    assert tokens.access_token == ACCESS_TOKEN


def test_cancel_takes_the_permission_back(app: Flask, facebook: FakeFacebook) -> None:
    client = app.test_client()
    assert cancel(client, log_in(client).location).status_code == 200
    assert facebook.calls(f"{GRAPH}/{SUBJECT}/permissions")
    assert rows(app)["users"] == rows(app)["unlink_jobs"] == 0
