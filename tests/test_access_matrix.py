"""Who may open what: every endpoint for every persona. An address without a line here is a red test."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support import PERSONAS

ALL_200 = (200, 200, 200, 200, 200)

#: Status for anonymous, minji (user), sora (staff), hana (superuser), gone (suspended).
MATRIX: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
    ("GET", "/"): ALL_200,
    ("GET", "/kakao/login/"): (302, 302, 302, 302, 302),
    ("GET", "/kakao/login/callback/"): (400, 400, 400, 400, 400),
    ("GET", "/kakao/logout/"): (302, 200, 200, 200, 302),
    ("POST", "/kakao/logout/"): (302, 400, 400, 400, 302),
    ("GET", "/kakao/logout/callback/"): (400, 400, 400, 400, 400),
    ("GET", "/users/me/"): (302, 200, 200, 200, 302),
    ("POST", "/users/me/logout-everywhere/"): (302, 400, 400, 400, 302),
    ("GET", "/users/me/withdraw/"): (302, 200, 200, 200, 302),
    ("POST", "/users/me/withdraw/"): (302, 400, 400, 400, 302),
    ("GET", "/webhooks/kakao/unlink/"): (401, 401, 401, 401, 401),
    ("POST", "/webhooks/kakao/unlink/"): (401, 401, 401, 401, 401),
    ("POST", "/webhooks/kakao/account-status/"): (400, 400, 400, 400, 400),
    ("GET", "/users/"): (302, 403, 200, 200, 302),
    ("GET", "/users/1/"): (302, 403, 200, 200, 302),
    ("GET", "/users/999/"): (302, 403, 404, 404, 302),
    ("GET", "/healthz"): ALL_200,
    ("GET", "/readyz"): (503, 503, 503, 503, 503),  # the tests' schema is not made by migrations
    ("GET", "/static/style.css"): ALL_200,
}


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_persona_meets_the_right_door(client_as: Callable[[str], FlaskClient], persona: str) -> None:
    client = client_as(persona)
    column = PERSONAS.index(persona)
    found = {key: client.open(key[1], method=key[0], buffered=True).status_code for key in MATRIX}
    assert found == {key: row[column] for key, row in MATRIX.items()}


def test_every_endpoint_has_a_line(app: Flask) -> None:
    adapter = app.url_map.bind("localhost")
    covered = {(method, adapter.match(path, method=method)[0]) for method, path in MATRIX}
    wanted = {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    missing = wanted - covered
    assert not missing, f"add a line for {sorted(missing)} to MATRIX in tests/test_access_matrix.py"


def test_every_door_names_its_guard(app: Flask) -> None:
    bare = [name for name in app.blueprints if not app.before_request_funcs.get(name)]
    assert not bare, f"put bp.before_request(guards....) right under Blueprint(...) in kakaoauth/{bare}.py"


def test_refused_page_says_so_in_words(client_as: Callable[[str], FlaskClient]) -> None:
    response = client_as("minji").get("/users/")
    assert "이 페이지를 볼 수 없" in response.text


def test_anonymous_comes_back_to_where_they_wanted(client_as: Callable[[str], FlaskClient]) -> None:
    response = client_as("anonymous").get("/users/?q=a&before=1")
    assert response.location == "/?next=/users/?q%3Da%26before%3D1"
