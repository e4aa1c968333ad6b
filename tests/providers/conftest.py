"""A plain Flask app with Kakao as its only provider."""

from collections.abc import Callable, Iterator

import pytest
import requests_mock as rm
from flask import Flask
from joserfc.jwk import RSAKey
from support.provider_app import FakeKakao, Visitor, make_app, make_key


@pytest.fixture(scope="session")
def key() -> RSAKey:
    return make_key("key-one")


@pytest.fixture(scope="session")
def other_key() -> RSAKey:
    return make_key("key-two")


@pytest.fixture
def app() -> Flask:
    return make_app()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app)


@pytest.fixture
def kakao(key: RSAKey) -> Iterator[FakeKakao]:
    with rm.Mocker() as mock:
        yield FakeKakao(mock, key)


@pytest.fixture
def make() -> Callable[..., Flask]:
    return make_app
