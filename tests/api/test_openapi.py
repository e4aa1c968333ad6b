"""The published document: valid, complete, and what the API really does, which a machine tries in many ways."""

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import argon2
import openapi_spec_validator
import pytest
import schemathesis
from argon2.exceptions import VerifyMismatchError
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection
from support import CLIENT_ID, KAPI, FakeKakao, tokens_of

from kakaoauth import create_app
from kakaoauth.models import User
from kakaoauth.storage import cursors
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.storage.cursors import Cursor, Position
from kakaoauth.storage.database import db

MakeApp = Callable[..., Flask]

#: The address under /api/ that is for people: the page about the document.
FOR_PEOPLE = {"/api/docs/"}


def published() -> dict[str, Any]:
    """The document of a site that needs nothing to be there."""
    settings = {"SECRET_KEY": "s" * 32, "REDIS_URL": "redis://127.0.0.1:1", "KAKAO_CLIENT_ID": CLIENT_ID}
    app = create_app({**settings, "DATABASE_URL": "sqlite://"})
    found: dict[str, Any] = app.test_client().get("/api/openapi.json").get_json()
    return found


DOCUMENT = published()
OPERATIONS = [
    (f"{method} {path}", said) for path, methods in DOCUMENT["paths"].items() for method, said in methods.items()
]


#: Answers 200 to any body.
LENIENT = "post /api/token/revoke/"
#: How long a request line may be at most: gunicorn's `limit_request_line` cannot be more than twice this.
LONGEST_LINE = 8190

# The document


def test_longest_address_that_the_document_allows_fits_into_a_request_line() -> None:
    """Every character spelled with percent signs, as a careful client may do."""
    for name, said in OPERATIONS:
        longest = len(f"{name}? HTTP/1.1")
        for parameter in said.get("parameters", []):
            schema = parameter["schema"]
            kinds = schema.get("enum", [schema["default"]] if "default" in schema else [])
            longest += max([20, *(len(str(kind)) for kind in kinds)]) + len(parameter["name"]) + 2
            if schema["type"] == "string" and "enum" not in schema:
                is_ascii = schema.get("pattern", "").startswith("^[A-Za-z0-9_-]")
                longest += schema["maxLength"] * (3 if is_ascii else 12)
        assert longest < LONGEST_LINE, name


def test_every_cursor_fits_the_document() -> None:
    (said,) = (said for name, said in OPERATIONS if name == "get /api/users/")
    (schema,) = (one["schema"] for one in said["parameters"] if one["name"] == "cursor")
    for value in ("\U0001f600" * 100, "é" * 64 + "@" + "x" * 189, datetime(9000, 1, 1, tzinfo=UTC), MAX_ID, None):
        text = cursors.write("-date_joined", Cursor(Position(value, MAX_ID), backwards=True))
        assert re.fullmatch(schema["pattern"], text)
        assert len(text) <= schema["maxLength"]


def test_document_is_valid() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(DOCUMENT)


def test_every_address_of_the_api_is_in_it(app: Flask) -> None:
    wanted = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") and rule.rule not in FOR_PEOPLE
    }
    listed = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert listed - wanted == {("/.well-known/jwks.json", "get")}
    assert not wanted - listed, "put @operation(...) on the view"


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    ids = [said["operationId"] for _, said in OPERATIONS]
    assert len(set(ids)) == len(ids)
    for name, said in OPERATIONS:
        assert said["summary"], name
        assert {tag["name"] for tag in DOCUMENT["tags"]} >= set(said["tags"]), name
        statuses = set(said["responses"])
        assert statuses & {"200", "201", "204"}, name
        if "security" in said:
            assert "401" in statuses, name
            assert said["description"].startswith("For "), name
        if "requestBody" in said and name != LENIENT:
            assert {"400", "413"} <= statuses, name
        for status, answer in said["responses"].items():
            assert answer["description"], name
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], name
            if status in ("429", "503"):
                assert "Retry-After" in answer["headers"], name


def test_codes_of_the_contract_are_in_it() -> None:
    said = {
        (status, code)
        for _, operation in OPERATIONS
        for status, answer in operation["responses"].items()
        for code in re.findall(r"`([A-Z_]+)`", answer["description"])
    }
    assert said >= {
        *(("401", "INVALID_ACCESS_TOKEN"), ("401", "EXPIRED_TOKEN"), ("401", "FOREIGN_ACCESS_TOKEN")),
        *(("403", "EMAIL_REQUIRED"), ("403", "ACCOUNT_DISABLED"), ("403", "FORBIDDEN"), ("404", "NOT_FOUND")),
        *(("409", "EMAIL_IN_USE"), ("400", "INVALID_REQUEST"), ("429", "RATE_LIMITED")),
        ("503", "PROVIDER_UNAVAILABLE"),
    }


def test_bodies_take_no_unknown_field_and_every_field_has_a_bound() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if not name.endswith("Out"):
            assert schema["additionalProperties"] is False, name
            for field, said in schema["properties"].items():
                kinds = said.get("anyOf", [said])
                assert all("maxLength" in kind for kind in kinds if kind["type"] == "string"), f"{name}.{field}"


def test_server_is_the_sites_address(make_app: MakeApp) -> None:
    assert DOCUMENT["servers"] == [{"url": "/"}]
    app = make_app(PUBLIC_URL="https://login.example.kr")
    found = app.test_client().get("/api/openapi.json").get_json()
    assert found["servers"] == [{"url": "https://login.example.kr"}]
    found = app.test_client().get("/api/openapi.json", base_url="http://localhost/below").get_json()
    assert found["servers"] == [{"url": "https://login.example.kr/below"}]
    found = make_app().test_client().get("/api/openapi.json", base_url="http://localhost/below/").get_json()
    assert found["servers"] == [{"url": "/below"}]


# The page


def test_page_brings_everything_along_and_runs_nothing_inline(client: FlaskClient) -> None:
    page = client.get("/api/docs/")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "img-src 'self' https:;" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", page.text)
    addresses = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.text)
    assert {"api-docs.js", "api-docs.css"} <= {re.sub(r".*/|\.\w{8}(?=\.)", "", address) for address in addresses}
    sizes = []
    for address in addresses:
        answer = client.get(address, headers={"Accept-Encoding": "gzip"}, buffered=True)
        assert answer.status_code == 200, address
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        sizes.append(len(answer.data))
    assert sum(sizes) < 20_000
    assert len(page.data) < 150_000
    assert all(" defer" in script for script in re.findall(r"<script [^>]*>", page.text))


def test_page_says_all_of_the_document_without_scripts(client: FlaskClient) -> None:
    page = html.unescape(client.get("/api/docs/", headers={"Accept-Language": "en"}).text)
    document = client.get("/api/openapi.json").get_json()
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            (told,) = re.findall(rf'<details class="operation" id="{said["operationId"]}">(.*?)</details>', page, re.S)
            assert f"<code>{path}</code>" in told
            assert f">{method.upper()}<" in told
            assert said["summary"] in told
            assert all(f">{status}<" in told for status in said["responses"])
            assert all(f'name="{one["name"]}"' in told for one in said["parameters"])
            assert ("data-body" in told) == ("requestBody" in said)
    for name, schema in document["components"]["schemas"].items():
        (told,) = re.findall(rf'<details class="operation" id="model-{name}">(.*?)</details>', page, re.S)
        assert set(re.findall(r"<li><code>(\w+)</code>", told)) == set(schema.get("properties", {}))
    assert re.findall(r'href="#model-(\w*)"', page)
    assert all(name in document["components"]["schemas"] for name in re.findall(r'href="#model-(\w*)"', page))


def test_body_to_begin_with_is_one_that_is_understood(client: FlaskClient) -> None:
    """What is wrong with it is at most what it says: no field is missing, unknown, or of another kind."""
    page = html.unescape(client.get("/api/docs/").text)
    forms = re.findall(r'data-method="(\w+)" data-path="([^"]+)"(.*?)</form>', page, re.S)
    tried = 0
    for method, path, form in forms:
        samples = re.findall(r"data-body>(.*?)</textarea>", form, re.S)
        samples += re.findall(r'<option value="({.*?})"', form, re.S)
        for sample in samples if "{" not in path.replace("{provider}", "") else ():
            answer = client.open(path.replace("{provider}", "kakao"), method=method, json=json.loads(sample))
            assert answer.status_code != 400, (path, sample, answer.text)
            tried += 1
    assert tried >= 5


def test_page_is_there_while_redis_is_away(make_app: MakeApp) -> None:
    app = make_app(REDIS_URL="redis://127.0.0.1:1")
    client = app.test_client()
    client.set_cookie("session", "x" * 43)
    for path in ("/api/docs/", "/api/openapi.json"):
        assert client.get(path).status_code == 200


# What the API really does


class Stranger:
    def __init__(self, app: Flask, **roles: bool) -> None:
        self.app, self.roles = app, roles
        self.people = 0
        self.token = ""

    def headers(self) -> dict[str, str]:
        return {}

    def heard(self, status: int) -> None:
        """No login to be ended."""


class Person(Stranger):
    """Comes back as somebody new when a call has ended their login or their account."""

    def headers(self) -> dict[str, str]:
        if not self.token:
            self.people += 1
            with self.app.app_context():
                user = User.objects.create_user(f"{self.people}@example.kr", **self.roles)
                db.session.commit()
                user_id = user.id
            self.token = tokens_of(self.app, user_id).access_token
        return {"Authorization": f"Bearer {self.token}"}

    def heard(self, status: int) -> None:
        if status in (204, 401):
            self.token = ""


@pytest.fixture
def open_app(make_app: MakeApp, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """No limits, and passwords that are wrong at once."""

    def wrong(*_: object) -> bool:
        raise VerifyMismatchError

    monkeypatch.setattr(argon2.PasswordHasher, "verify", wrong)
    kakao.mock.get(
        f"{KAPI}/v1/user/access_token_info", json=lambda *_: {"id": kakao.me["id"], "app_id": 1, "expires_in": 99}
    )
    return make_app(KAKAOAUTH_RATE_LIMITS=False, KAKAO_APP_ID=1)


@pytest.fixture
def document(request: pytest.FixtureRequest) -> Any:
    request.node._nodeid = request.node.nodeid  # Schemathesis 4 asks for what pytest 9.2 has renamed.
    told = json.loads(json.dumps(DOCUMENT))
    for methods in told["paths"].values():
        for said in methods.values():  # Half of the time goes into cursors, which are not to be made up.
            said["parameters"] = [one for one in said.get("parameters", []) if one["name"] != "cursor"]
    return schemathesis.openapi.from_dict(told)


#: By a fixture: requests are thought up by the process that sends them, and not by each that collects tests.
schema = schemathesis.pytest.from_fixture("document")
#: The same requests each time: three of a kind (valid, invalid) for each operation are all that a few seconds allow.
bounded = settings(
    max_examples=3, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def probe(case: schemathesis.Case, caller: Stranger) -> None:
    """Every check that the tool has, but one: who may come in is not for it to guess."""
    case.cookies = {}  # A cookie counts only beside a header: tests/tokens/test_cookies.py.
    case.query = {name: value for name, value in (case.query or {}).items() if name != "cursor"}  # Not to be made up.
    if isinstance(case.body, dict) and re.match(r"\d{4}-\d\d-\d\dT", str(case.body.get("suspended_until"))):
        case.body["suspended_until"] = "2099-01-01T00:00:00Z"  # In the future, which no schema can say.
    answer = case.call(headers=caller.headers(), app=caller.app)
    caller.heard(answer.status_code)
    lenient = [negative_data_rejection] if case.path == LENIENT.partition(" ")[2] else []
    case.validate_response(answer, excluded_checks=[ignored_auth, *lenient])


@schema.parametrize()
@bounded
def test_document_holds_for_a_stranger(case: schemathesis.Case, open_app: Flask) -> None:
    probe(case, open_app.extensions.setdefault("caller", Stranger(open_app)))


@schema.include(path_regex="^/api/users/").parametrize()
@bounded
def test_document_holds_for_a_user(case: schemathesis.Case, open_app: Flask) -> None:
    probe(case, open_app.extensions.setdefault("caller", Person(open_app)))


@schema.include(path_regex="^/api/users/").parametrize()
@bounded
def test_document_holds_for_a_superuser(case: schemathesis.Case, open_app: Flask) -> None:
    probe(case, open_app.extensions.setdefault("caller", Person(open_app, is_staff=True, is_superuser=True)))


def test_names_of_operations_are_those_that_programs_were_generated_from() -> None:
    ids = {said["operationId"] for _, said in OPERATIONS}
    assert {"get_api_users_show_me", "post_api_login_provider_login", "post_api_tokens_refresh"} <= ids
