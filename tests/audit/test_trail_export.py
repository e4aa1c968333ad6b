"""The audit trail as a file."""

import csv
import io
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from support import csrf_token

from kakaoauth.audit import AuditEvent
from kakaoauth.staff.csv import export_trail
from kakaoauth.storage.database import db

ClientAs = Callable[[str], FlaskClient]


def rows(client: FlaskClient, query: str = "") -> list[dict[str, str]]:
    answer = client.post(
        f"/users/audit/export.csv{query}", data={"csrf_token": csrf_token(client)}, headers={"Accept-Language": "en"}
    )
    assert answer.status_code == 200, answer.text
    assert "attachment; filename=audit-" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_file_has_every_event_of_the_filter_and_is_noted(
    app: Flask, client_as: ClientAs, people: dict[str, int]
) -> None:
    hana = client_as("hana")
    with app.app_context():
        for number in range(export_trail.BATCH + 3):
            db.session.add(AuditEvent(action="webhook", result="done", target_id=number, reason="=1+1"))
        db.session.commit()
    found = rows(hana, "?action=webhook")
    assert [row["target"] for row in found] == [str(number) for number in reversed(range(export_trail.BATCH + 3))]
    assert {row["reason"] for row in found} == {"'=1+1"}
    assert found[0]["action"] == "Message from the provider"
    assert rows(hana, "?action=trail+exported")[-1]["actor"] == str(people["hana"])


def test_filter_that_is_none_and_staff_get_no_file(client_as: ClientAs) -> None:
    hana, sora = client_as("hana"), client_as("sora")
    for client, query, status in ((hana, "?person=x", 400), (sora, "", 403)):
        form = {"csrf_token": csrf_token(client)}
        assert client.post(f"/users/audit/export.csv{query}", data=form).status_code == status
    assert hana.post("/users/audit/export.csv").status_code == 400
