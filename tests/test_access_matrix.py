"""Who may open what: every endpoint for every persona. An address without a line here is a red test."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from support import PERSONAS, FakeKakao, api_client, csrf_token, tokens_of

from kakaoauth.tokens import flows as token_flows

ALL_200 = (200, 200, 200, 200, 200)

#: Status for anonymous, minji (user), sora (staff), hana (superuser), gone (suspended).
MATRIX: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
    ("GET", "/"): ALL_200,
    ("GET", "/login/"): (200, 302, 302, 302, 200),
    ("POST", "/login/"): (400, 400, 400, 400, 400),
    ("GET", "/kakao/login/"): (302, 302, 302, 302, 302),
    ("GET", "/kakao/login/callback/"): (400, 400, 400, 400, 400),
    ("POST", "/kakao/login/callback/"): (405, 405, 405, 405, 405),  # Kakao answers by GET
    ("GET", "/kakao/logout/"): (302, 200, 200, 200, 302),
    ("POST", "/kakao/logout/"): (302, 400, 400, 400, 302),
    ("GET", "/kakao/logout/callback/"): (400, 400, 400, 400, 400),
    ("GET", "/users/me/"): (302, 200, 200, 200, 302),
    ("POST", "/users/me/logout-everywhere/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/devices/x/end/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/devices/end-others/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/link/kakao/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/unlink/1/"): (302, 400, 400, 400, 302),
    ("GET", "/users/me/withdraw/"): (302, 200, 200, 200, 302),
    ("POST", "/users/me/withdraw/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/data/"): (302, 400, 400, 400, 302),
    ("GET", "/users/me/withdrawn/"): (200, 302, 302, 302, 200),
    ("GET", "/users/me/restore/"): (302, 302, 302, 302, 302),  # of nobody whose account is closed
    ("POST", "/users/me/restore/"): (400, 400, 400, 400, 400),
    ("GET", "/users/me/confirm/"): (302, 302, 302, 302, 302),  # fresh ones go on to their page
    ("POST", "/users/me/confirm/kakao/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/confirm/password/"): (302, 400, 400, 400, 302),
    ("POST", "/users/me/consents/x/"): (302, 400, 400, 400, 302),
    ("GET", "/sign-up/x/"): (400, 302, 302, 302, 400),  # nothing waits there
    ("POST", "/sign-up/x/"): (400, 400, 400, 400, 400),
    ("GET", "/webhooks/kakao/unlink/"): (401, 401, 401, 401, 401),
    ("POST", "/webhooks/kakao/unlink/"): (401, 401, 401, 401, 401),
    ("POST", "/webhooks/kakao/account-status/"): (400, 400, 400, 400, 400),
    ("POST", "/webhooks/facebook/deauthorize/"): (404, 404, 404, 404, 404),  # not configured here
    ("POST", "/webhooks/facebook/data-deletion/"): (404, 404, 404, 404, 404),
    ("POST", "/webhooks/naver/disconnect/"): (404, 404, 404, 404, 404),
    ("POST", "/webhooks/apple/notifications/"): (404, 404, 404, 404, 404),
    ("POST", "/webhooks/google/events/"): (404, 404, 404, 404, 404),
    ("GET", "/facebook/data-deletion/no-such-code/"): (404, 404, 404, 404, 404),
    ("GET", "/users/"): (302, 403, 200, 200, 302),
    ("POST", "/users/export.csv"): (302, 403, 400, 400, 302),
    ("GET", "/users/1/"): (302, 403, 200, 200, 302),
    ("GET", "/users/999/"): (302, 403, 404, 404, 302),
    ("GET", "/users/1/suspend/"): (302, 403, 403, 200, 302),
    ("POST", "/users/1/suspend/"): (302, 403, 403, 400, 302),
    ("GET", "/users/1/unlink/1/"): (302, 403, 403, 200, 302),
    ("POST", "/users/1/unlink/1/"): (302, 403, 403, 400, 302),
    ("GET", "/users/1/devices/x/end/"): (302, 403, 403, 404, 302),
    ("POST", "/users/1/devices/x/end/"): (302, 403, 403, 400, 302),
    ("GET", "/users/export/"): (302, 403, 200, 200, 302),
    ("GET", "/users/many/suspend/"): (302, 403, 403, 200, 302),
    ("POST", "/users/many/suspend/"): (302, 403, 403, 400, 302),
    ("POST", "/users/1/notes/"): (302, 403, 400, 400, 302),
    ("POST", "/users/1/notes/1/remove/"): (302, 403, 400, 400, 302),
    ("POST", "/users/1/tags/"): (302, 403, 400, 400, 302),
    ("POST", "/users/filters/"): (302, 403, 400, 400, 302),
    ("POST", "/users/filters/1/remove/"): (302, 403, 400, 400, 302),
    ("GET", "/users/import/"): (302, 403, 403, 200, 302),
    ("POST", "/users/import/"): (302, 403, 403, 400, 302),
    ("GET", "/users/import/preview/"): (302, 403, 403, 302, 302),
    ("POST", "/users/import/preview/"): (302, 403, 403, 400, 302),
    ("POST", "/users/audit/export.csv"): (302, 403, 403, 400, 302),
    ("GET", "/users/audit/"): (302, 403, 403, 200, 302),
    ("GET", "/users/suspended/"): (302, 403, 403, 200, 302),
    ("GET", "/users/suspended/1/lift/"): (302, 403, 403, 404, 302),
    ("POST", "/users/suspended/1/lift/"): (302, 403, 403, 400, 302),
    ("GET", "/users/overview/"): (302, 403, 200, 200, 302),
    ("POST", "/users/me/profile/"): (302, 400, 400, 400, 302),
    ("GET", "/healthz"): ALL_200,
    ("GET", "/metrics"): ALL_200,  # from this machine, where the tests are; see test_counters.py
    ("GET", "/readyz"): ALL_200,
    ("GET", "/kakaoauth/style.css"): ALL_200,
    ("GET", "/kakaoauth/icons/icon.svg"): ALL_200,
    ("GET", "/kakaoauth/site.webmanifest"): ALL_200,
    ("GET", "/kakaoauth/colours.00000000.css"): (404, 404, 404, 404, 404),  # without KAKAOAUTH_ACCENT_COLOR
    ("GET", "/kakaoauth/logo.00000000"): (404, 404, 404, 404, 404),  # without KAKAOAUTH_SITE_LOGO
    ("GET", "/favicon.ico"): ALL_200,
    ("GET", "/robots.txt"): ALL_200,
    ("POST", "/api/auth/kakao/"): (400, 400, 400, 400, 400),
    ("POST", "/api/token/"): (400, 400, 400, 400, 400),
    ("POST", "/api/token/refresh/"): (401, 401, 401, 401, 401),
    ("POST", "/api/token/verify/"): (400, 400, 400, 400, 400),
    ("POST", "/api/token/revoke/"): ALL_200,
    ("GET", "/api/openapi.json"): ALL_200,
    ("GET", "/api/docs/"): ALL_200,
    ("GET", "/.well-known/jwks.json"): ALL_200,
}

#: The same for an access token instead of a session; one's own account goes last.
BEARER: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
    ("GET", "/api/users/"): (401, 403, 200, 200, 401),
    ("GET", "/api/users/1/"): (401, 200, 200, 200, 401),
    ("GET", "/api/users/2/"): (401, 404, 200, 200, 401),
    ("GET", "/api/users/1/consents/"): (401, 200, 200, 200, 401),
    ("GET", "/api/users/2/consents/"): (401, 404, 200, 200, 401),
    ("PATCH", "/api/users/1/"): (401, 403, 403, 200, 401),
    ("DELETE", "/api/users/1/"): (401, 403, 403, 204, 401),
    ("GET", "/api/users/me/"): (401, 200, 200, 200, 401),
    ("GET", "/api/users/me/consents/"): (401, 200, 200, 200, 401),
    ("PUT", "/api/users/me/consents/x/"): (401, 404, 404, 404, 401),  # nothing is asked here
    ("DELETE", "/api/users/me/consents/x/"): (401, 404, 404, 404, 401),
    ("PATCH", "/api/users/me/"): (401, 200, 200, 200, 401),
    ("POST", "/api/users/me/logout-everywhere/"): (401, 204, 204, 204, 401),
    ("GET", "/api/users/me/data/"): (401, 200, 200, 200, 401),
    ("DELETE", "/api/users/me/"): (401, 204, 204, 409, 401),  # the last superuser stays
}
#: A session opens nothing there.
MATRIX |= dict.fromkeys(BEARER, (401, 401, 401, 401, 401))


#: What a superuser whose login is older than 5 minutes is asked to confirm first: it cannot be undone, or opens the
#: account to somebody else.
FRESH = {
    ("POST", "/users/me/link/kakao/"),
    ("POST", "/users/me/unlink/1/"),
    ("POST", "/users/me/withdraw/"),
    ("POST", "/users/me/data/"),
    ("GET", "/api/users/me/data/"),
    ("POST", "/users/1/suspend/"),
    ("POST", "/users/1/unlink/1/"),
    ("POST", "/users/1/devices/x/end/"),
    ("POST", "/users/many/suspend/"),
    ("POST", "/users/import/preview/"),
    ("POST", "/users/suspended/1/lift/"),
    ("PATCH", "/api/users/1/"),
    ("DELETE", "/api/users/1/"),
    ("DELETE", "/api/users/me/"),
}
#: What else changes something and wants none: getting in, getting out, oneself's own names, and what proves itself.
NOT_FRESH = {
    ("POST", "/users/me/profile/"),
    ("POST", "/login/"),
    ("POST", "/kakao/logout/"),
    ("POST", "/users/me/logout-everywhere/"),
    ("POST", "/users/me/devices/x/end/"),
    ("POST", "/users/me/devices/end-others/"),
    ("POST", "/users/me/restore/"),
    ("POST", "/users/me/confirm/kakao/"),
    ("POST", "/users/me/confirm/password/"),
    ("POST", "/users/me/consents/x/"),
    ("POST", "/sign-up/x/"),
    ("POST", "/users/export.csv"),
    ("POST", "/users/audit/export.csv"),
    ("POST", "/users/import/"),
    ("POST", "/users/1/notes/"),
    ("POST", "/users/1/notes/1/remove/"),
    ("POST", "/users/1/tags/"),
    ("POST", "/users/filters/"),
    ("POST", "/users/filters/1/remove/"),
    ("POST", "/webhooks/kakao/unlink/"),
    ("POST", "/webhooks/kakao/account-status/"),
    ("POST", "/webhooks/facebook/deauthorize/"),
    ("POST", "/webhooks/naver/disconnect/"),
    ("POST", "/webhooks/apple/notifications/"),
    ("POST", "/kakao/login/callback/"),
    ("POST", "/webhooks/google/events/"),
    ("POST", "/webhooks/facebook/data-deletion/"),
    ("POST", "/api/auth/kakao/"),
    ("POST", "/api/token/"),
    ("POST", "/api/token/refresh/"),
    ("POST", "/api/token/verify/"),
    ("POST", "/api/token/revoke/"),
    ("PATCH", "/api/users/me/"),
    ("PUT", "/api/users/me/consents/x/"),
    ("DELETE", "/api/users/me/consents/x/"),
    ("POST", "/api/users/me/logout-everywhere/"),
}


def test_everything_that_changes_something_says_whether_it_wants_a_fresh_login() -> None:
    changing = {key for key in MATRIX if key[0] != "GET"}
    said = {key for key in FRESH | NOT_FRESH if key[0] != "GET"}
    assert changing == said, "add the line to FRESH or NOT_FRESH in tests/test_access_matrix.py"


def test_stale_login_is_asked_to_confirm_where_it_is_written(
    app: Flask, client_as: Callable[[str], FlaskClient], people: dict[str, int]
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client, pair = client_as("hana"), tokens_of(app, people["hana"])
        token = csrf_token(client)
        clock.shift(301)
        with app.app_context():
            tool = api_client(app, token_flows.refresh(pair.refresh_token).access_token)
        asked = set()
        for method, path in FRESH:
            if path.startswith("/api/"):
                answer = tool.open(path, method=method, json={})
                if answer.status_code == 401 and answer.get_json(force=True)["code"] == "FRESH_LOGIN_REQUIRED":
                    asked.add((method, path))
            elif client.open(path, method=method, data={"csrf_token": token}).location.startswith("/users/me/confirm/"):
                asked.add((method, path))
        assert asked == FRESH


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_token_opens_what_it_should(api_as: Callable[[str], FlaskClient], kakao: FakeKakao, persona: str) -> None:
    column = PERSONAS.index(persona)
    found = {key: api_as(persona).open(key[1], method=key[0], json={}).status_code for key in BEARER}
    assert found == {key: row[column] for key, row in BEARER.items()}


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_persona_gets_the_right_answer(client_as: Callable[[str], FlaskClient], persona: str) -> None:
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


def test_every_endpoint_names_its_guard(app: Flask) -> None:
    bare = [name for name in app.blueprints if not app.before_request_funcs.get(name)]
    assert not bare, f"put bp.before_request(guards....) right under Blueprint(...) in kakaoauth/{bare}.py"


def test_refused_page_says_so_in_words(client_as: Callable[[str], FlaskClient]) -> None:
    response = client_as("minji").get("/users/")
    assert "이 페이지를 볼 수 없" in response.text


def test_anonymous_comes_back_to_where_they_wanted(client_as: Callable[[str], FlaskClient]) -> None:
    response = client_as("anonymous").get("/users/?q=a&before=1")
    assert response.location == "/?next=/users/?q%3Da%26before%3D1"
