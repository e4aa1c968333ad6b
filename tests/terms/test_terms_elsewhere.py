"""Consents in files, in the overview's numbers, and what the doctor says of the setting."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import FakeKakao
from support.terms import TERMS, agree, cancel, come_to_step

from kakaoauth.cli.doctor import terms as doctor
from kakaoauth.cli.doctor.findings import Report
from kakaoauth.models import User
from kakaoauth.monitoring import numbers
from kakaoauth.staff import overview
from kakaoauth.storage.database import db
from kakaoauth.terms import own
from kakaoauth.terms.consents import Consent


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(KAKAOAUTH_TERMS=TERMS)


def test_consents_go_out_in_a_file_and_come_back(
    make_app: Callable[..., Flask], app: Flask, client: FlaskClient, kakao: FakeKakao, tmp_path: Path, database_url: str
) -> None:
    agree(client, come_to_step(client, kakao), "age", "tos", "news")
    with app.app_context():
        own.withdraw(1, "news")
        before = [(row.term, row.version, row.agreed_at, row.withdrawn_at) for row in db.session.query(Consent)]
    file = tmp_path / "users.csv"
    assert app.test_cli_runner().invoke(args=["users", "export", str(file)]).exit_code == 0
    (line,) = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    told = line["consents"].split("|")
    assert [part.split("@")[:2] for part in told] == [["age", "1"], ["tos", "2026-01"], ["news", "1"]]
    assert told[0].endswith("Z@page")
    other = make_app(KAKAOAUTH_TERMS=TERMS, DATABASE_URL=database_url.replace("both.db", "other.db"))
    done = other.test_cli_runner().invoke(args=["users", "import", str(file)])
    assert done.exit_code == 0, done.output
    with other.app_context():
        rows = db.session.query(Consent).order_by(Consent.id).all()
        assert {row.source for row in rows} == {"import"}
        assert [(row.term, row.version, row.agreed_at, row.withdrawn_at) for row in rows] == before
        assert {row.user_id for row in rows} == {db.session.query(User).one().id}


@pytest.mark.parametrize(
    "cell", ["tos", "tos@2026-01", "tos@2026-01@yesterday", "a b@1@2026-01-01", "t@1@2026-01-01|t@1@2026-01-02"]
)
def test_bad_consents_are_refused_by_column(app: Flask, tmp_path: Path, cell: str) -> None:
    file = tmp_path / "users.csv"
    file.write_text(f"email,consents\nminji@example.kr,{cell}\n", encoding="utf-8")
    done = app.test_cli_runner().invoke(args=["users", "import", str(file)])
    assert "consents" in done.output
    with app.app_context():
        assert db.session.query(User).count() == 0


def test_without_the_setting_a_file_has_no_such_column(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    make_app().test_cli_runner().invoke(args=["users", "export", str(file)])
    assert "consents" not in file.read_text(encoding="utf-8-sig")


def test_overview_counts_who_was_asked_who_agreed_and_who_left(app: Flask, kakao: FakeKakao) -> None:
    client = app.test_client()
    agree(client, come_to_step(client, kakao), "age", "tos")
    kakao.me = {**kakao.me, "id": 555, "kakao_account": {**kakao.me["kakao_account"], "email": "x@example.kr"}}
    client = app.test_client()
    cancel(client, come_to_step(client, kakao))
    come_to_step(app.test_client(), kakao)
    with app.test_request_context("/?lang=en"):
        found = numbers.read(7)
        assert (found.begun, found.terms_asked, found.terms_agreed, found.came_in) == (3, 3, 1, 1)
        chart = overview._funnel(found)
    assert chart
    assert "Of 3 who were shown the terms, 1 agreed and 2 left." in chart.sentence
    assert [row[0] for row in chart.rows][2:4] == ["Terms shown", "Terms agreed"]


@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ([], "ok"),
        (TERMS, "ok"),
        ([{**TERMS[1], "url": "http://example.kr/terms"}], "warning"),
        ([{**TERMS[1], "url": "/no-such-page"}], "warning"),
        ([{**TERMS[1], "url": "/healthz"}], "ok"),
        ([{**TERMS[1], "tag": ""}, TERMS[2]], "warning"),
    ],
)
def test_doctor_looks_at_addresses_and_tags(
    make_app: Callable[..., Flask], terms: list[dict[str, Any]], status: str
) -> None:
    report = Report()
    doctor.check(make_app(KAKAOAUTH_TERMS=terms), report)
    (found,) = [one for one in report.findings() if one.id == "settings.terms"]
    assert found.status.value == status
    assert bool(found.cure) == (status != "ok")
