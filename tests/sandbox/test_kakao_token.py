"""POST /oauth/token."""

import base64
import hashlib
import threading

import pytest
from support.sandbox import CALLBACK, OTHER_CALLBACK, SETTINGS, Sandbox, koe

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
NOT_FOUND = "authorization code not found for code="


def test_code_grant_with_openid_connect(sandbox):
    answer = sandbox.exchange(sandbox.log_in())
    assert answer.status_code == 200
    assert answer.content_type == "application/json;charset=UTF-8"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert set(body) == {
        "access_token",
        "token_type",
        "refresh_token",
        "id_token",
        "expires_in",
        "scope",
        "refresh_token_expires_in",
    }
    assert (body["token_type"], body["expires_in"], body["refresh_token_expires_in"]) == ("bearer", 21599, 5183999)
    assert body["scope"] == "account_email openid profile_image profile_nickname"


def test_code_grant_without_openid_connect():
    body = Sandbox(oidc=False).tokens(items=())
    assert "id_token" not in body
    assert body["scope"] == "profile_nickname"


def test_additional_consent_gives_an_id_token_only_for_openid(sandbox):
    sandbox.log_in(items=())
    without = sandbox.tokens(scope="account_email")
    assert "id_token" not in without
    assert without["scope"] == "account_email profile_nickname"
    named = sandbox.tokens(scope="openid,profile_image")
    assert "id_token" in named
    assert named["scope"] == "account_email openid profile_image profile_nickname"


def test_code_works_once(sandbox):
    code = sandbox.log_in()
    assert sandbox.exchange(code).status_code == 200
    again = sandbox.exchange(code)
    assert again.status_code == 400
    assert again.json == {"error": "invalid_grant", "error_description": NOT_FOUND + code, "error_code": "KOE320"}


def test_two_exchanges_at_once_have_one_winner(sandbox):
    code, statuses = sandbox.log_in(), []
    threads = [threading.Thread(target=lambda: statuses.append(sandbox.exchange(code).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 7


def test_code_expires(sandbox):
    code = sandbox.log_in()
    sandbox.clock.advance(600)
    assert koe(sandbox.exchange(code)) == "KOE320"


def test_lifetime_of_codes_is_a_setting():
    sandbox = Sandbox(code_seconds=5)
    in_time, late = sandbox.log_in(), sandbox.log_in()
    sandbox.clock.advance(4)
    assert sandbox.exchange(in_time).status_code == 200
    sandbox.clock.advance(1)
    assert koe(sandbox.exchange(late)) == "KOE320"


@pytest.mark.parametrize(("code", "shown"), [("made-up", "made-up"), ("<b>", "<b>"), (None, "null")])
def test_unknown_code(sandbox, code, shown):
    answer = sandbox.exchange(code)
    assert (answer.status_code, koe(answer)) == (400, "KOE320")
    assert answer.json["error_description"] == NOT_FOUND + shown


def test_code_of_an_unlinked_person_is_dead(sandbox):
    code = sandbox.log_in()
    sandbox.state.unlink("haneul")
    assert koe(sandbox.exchange(code)) == "KOE320"


@pytest.mark.parametrize("uri", [OTHER_CALLBACK, CALLBACK.rstrip("/"), None])
def test_other_redirect_uri(uri):
    sandbox = Sandbox(strict=True)  # or one that is missing passes
    code = sandbox.log_in()
    answer = sandbox.exchange(code, redirect_uri=uri)
    assert answer.status_code == 400
    assert answer.json == {
        "error": "invalid_grant",
        "error_description": "Redirect URI mismatch.",
        "error_code": "KOE303",
    }
    assert koe(sandbox.exchange(code)) == "KOE320"


@pytest.mark.parametrize(("client_id", "shown"), [("wrong", "wrong"), (None, "null"), ("", "null")])
def test_wrong_client(sandbox, client_id, shown):
    answer = sandbox.exchange("x", client_id=client_id)
    assert answer.status_code == 401
    assert answer.json == {
        "error": "invalid_client",
        "error_description": f"Not exist client_id [{shown}]",
        "error_code": "KOE101",
    }


def test_basic_authentication_json_and_query_do_not_count(sandbox):
    form = {
        "grant_type": "authorization_code",
        "client_id": SETTINGS.client_id,
        "client_secret": SETTINGS.client_secret,
        "code": sandbox.log_in(),
        "redirect_uri": CALLBACK,
    }
    basic = {name: value for name, value in form.items() if not name.startswith("client_")}
    answers = [
        sandbox.server.post("/oauth/token", data=basic, auth=(SETTINGS.client_id, SETTINGS.client_secret)),
        sandbox.server.post("/oauth/token", json=form),
        Sandbox(strict=True).server.post("/oauth/token", query_string=form),
        sandbox.server.post("/oauth/token", data=form, content_type="multipart/form-data"),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.json["error_description"] == "Not exist client_id [null]"
    assert sandbox.server.post("/oauth/token", data=form).status_code == 200


@pytest.mark.parametrize("secret", [None, "", "wrong", "sandbox-secret\n", "비밀"])
def test_secret_missing_or_wrong(sandbox, secret):
    code = sandbox.log_in()
    for answer in (sandbox.exchange(code, client_secret=secret), sandbox.refresh("x", client_secret=secret)):
        assert answer.status_code == 401
        assert answer.json == {
            "error": "invalid_client",
            "error_description": "Bad client credentials",
            "error_code": "KOE010",
        }
    assert sandbox.exchange(code).status_code == 200


def test_secret_switched_off():
    sandbox = Sandbox(client_secret=None)
    assert sandbox.exchange(sandbox.log_in()).status_code == 200
    assert sandbox.exchange(sandbox.log_in(), client_secret="whatever").status_code == 200


@pytest.mark.parametrize("grant_type", ["password", "client_credentials", None])
def test_unknown_grant_type(sandbox, grant_type):
    answer = sandbox.token(grant_type=grant_type)
    assert (answer.status_code, koe(answer)) == (400, "KOE310")


def test_doubled_parameter(sandbox):
    answer = sandbox.token(client_id=[SETTINGS.client_id, "other"])
    assert answer.status_code == 400
    assert answer.json["error"] == "invalid_request"


def test_verifier_that_fits(sandbox):
    assert sandbox.exchange(sandbox.log_in(**PKCE), code_verifier=VERIFIER).status_code == 200


@pytest.mark.parametrize("verifier", [None, "", VERIFIER + "x", CHALLENGE])
def test_verifier_missing_or_wrong_spends_the_code(sandbox, verifier):
    code = sandbox.log_in(**PKCE)
    answer = sandbox.exchange(code, code_verifier=verifier)
    assert answer.status_code == 400
    assert answer.json["error"] == "invalid_grant"
    assert "error_code" not in answer.json
    assert koe(sandbox.exchange(code, code_verifier=VERIFIER)) == "KOE320"


def test_verifier_without_a_challenge(sandbox):
    assert sandbox.exchange(sandbox.log_in(), code_verifier=VERIFIER).json["error"] == "invalid_grant"


def test_quota_of_20_tokens_in_10_minutes_per_person(sandbox):
    for _ in range(20):
        assert sandbox.exchange(sandbox.log_in()).status_code == 200
    answer = sandbox.exchange(sandbox.log_in())
    assert answer.status_code == 400
    assert answer.json == {
        "error": "invalid_request",
        "error_description": "token request rate limit exceeded",
        "error_code": "KOE237",
    }
    assert sandbox.exchange(sandbox.log_in("bigid", prompt="login")).status_code == 200
    sandbox.clock.advance(600)
    assert sandbox.exchange(sandbox.log_in()).status_code == 200


def test_refresh_keeps_the_refresh_token_while_it_is_young(sandbox):
    first = sandbox.tokens()
    sandbox.clock.advance(29 * 86400)
    answer = sandbox.refresh(first["refresh_token"])
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "id_token"}
    assert answer.json["access_token"] != first["access_token"]
    assert answer.json["expires_in"] == 21599


def test_refresh_rotates_in_the_last_month(sandbox):
    first = sandbox.tokens()
    sandbox.clock.advance(31 * 86400)
    body = sandbox.refresh(first["refresh_token"]).json
    assert body["refresh_token"] != first["refresh_token"]
    assert body["refresh_token_expires_in"] == 5183999
    assert koe(sandbox.refresh(first["refresh_token"])) == "KOE322"
    assert sandbox.refresh(body["refresh_token"]).status_code == 200


def test_refresh_leaves_the_old_access_token_alive(sandbox):
    first = sandbox.tokens()
    sandbox.refresh(first["refresh_token"])
    assert sandbox.call("GET", "/v2/user/me", first["access_token"]).status_code == 200


def test_refresh_gives_an_id_token_only_after_an_id_token(sandbox):
    sandbox.log_in(items=())
    plain = sandbox.tokens(scope="account_email")
    assert "id_token" not in sandbox.refresh(plain["refresh_token"]).json


def test_expired_or_unknown_refresh_token(sandbox):
    first = sandbox.tokens()
    sandbox.clock.advance(60 * 86400)
    for token in (first["refresh_token"], "made-up", first["access_token"], "한글"):
        answer = sandbox.refresh(token)
        assert answer.status_code == 400
        assert answer.json == {
            "error": "invalid_grant",
            "error_code": "KOE322",
            "error_description": "expired_or_invalid_refresh_token",
        }


@pytest.mark.parametrize("token", [None, ""])
def test_missing_refresh_token(sandbox, token):
    answer = sandbox.refresh(token)
    assert (answer.status_code, koe(answer)) == (400, "KOE319")


def test_quota_of_30_refreshes_in_60_minutes(sandbox):
    token = sandbox.tokens()["refresh_token"]
    for _ in range(30):
        assert sandbox.refresh(token).status_code == 200
    assert koe(sandbox.refresh(token)) == "KOE237"
    sandbox.clock.advance(3600)
    assert sandbox.refresh(token).status_code == 200


def test_quotas_are_settings():
    sandbox = Sandbox(issue_limit=1000)
    for _ in range(21):
        assert sandbox.exchange(sandbox.log_in()).status_code == 200


def test_get_is_refused_in_kakaos_shape(sandbox):
    answer = sandbox.server.get("/oauth/token")
    assert answer.status_code == 405
    assert set(answer.json) == {"error", "error_description", "error_code"}
    assert "POST" in answer.headers["Allow"]
