"""LOG_FORMAT=json: one object a line, for what collects logs."""

import json
import logging
from collections.abc import Callable

import pytest
from flask import Flask

from kakaoauth.monitoring import logs


@pytest.fixture
def lines(make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]) -> list[str]:
    root = logging.getLogger("kakaoauth")
    before = list(root.handlers)
    root.handlers.clear()
    app = make_app(LOG_FORMAT="json")

    @app.get("/broken/")
    def broken() -> str:
        raise ValueError("".join(("can", "ary of a text\nthat no log may hold")))  # a traceback quotes this line

    app.test_client().get("/broken/")
    app.test_client().get("/kakao/login/callback/?state=canary-state&code=canary-code")
    logging.getLogger("kakaoauth.jobs").warning("two\nlines of %s", "a job")
    written = capsys.readouterr().err
    root.handlers[:] = before
    return [line for line in written.splitlines() if '"kakaoauth.audit"' not in line]


def test_each_line_is_an_object_that_says_when_who_and_what(lines: list[str]) -> None:
    error, refused, job = [json.loads(line) for line in lines]
    assert (error["level"], error["logger"], error["endpoint"]) == ("ERROR", "kakaoauth.errors", "broken")
    assert f"ref={error['reference']}" in error["message"]
    assert "in broken" in error["traceback"]
    assert (refused["level"], refused["endpoint"]) == ("WARNING", "kakaoauth.auth.callback")
    assert len(refused["reference"]) == 8
    assert job.pop("time").endswith("Z")
    assert job == {"level": "WARNING", "logger": "kakaoauth.jobs", "message": "two\nlines of a job"}


def test_no_line_holds_what_an_exception_or_an_address_holds(lines: list[str]) -> None:
    assert len(lines) == 3
    assert "canary" not in "".join(lines)


def test_handler_of_somebody_else_keeps_its_form(make_app: Callable[..., Flask]) -> None:
    root = logging.getLogger("kakaoauth")
    before, theirs = list(root.handlers), logging.NullHandler()
    root.handlers[:] = [theirs]
    try:
        make_app(LOG_FORMAT="json")
        assert root.handlers == [theirs]
        assert theirs.formatter is None
    finally:
        root.handlers[:] = before
    assert isinstance(logs.formatter("text"), logs.UtcFormatter)
