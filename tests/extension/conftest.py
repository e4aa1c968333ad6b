"""What the tests of the extension share: apps of somebody else's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from support.apps import close
from support.shop import host_app

from kakaoauth import KakaoAuth


@pytest.fixture
def make_host(
    redis: Redis, redis_url: str, tmp_path: Path, create_tables: Callable[[Flask], None]
) -> Iterator[Callable[..., Flask]]:
    made: list[Flask] = []

    def make(
        *, name: str = "one", before: Callable[[Flask], object] = lambda app: None, auth: KakaoAuth | None = None,
        given: dict[str, Any] | None = None, **settings: Any
    ) -> Flask:  # fmt: skip
        app = host_app(tmp_path / name, redis_url, **settings)
        (tmp_path / name).mkdir()
        database = SQLAlchemy(app)
        before(app)
        (auth or KakaoAuth()).init_app(app, db=database, **{"url_prefix": "/auth", **(given or {})})
        create_tables(app)
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


@pytest.fixture
def host(make_host: Callable[..., Flask]) -> Flask:
    return make_host()
