"""Faults on demand: every one of them, where it happens, how long, and what the rest does meanwhile."""

import gzip
import http.client
import json
import socket
import time
from contextlib import closing

import pytest
from support.sandbox import CALLBACK, SETTINGS, koe, page_of, refused, returned, serving

from kakaoauth.sandbox.endpoints import ALL, NAMES
from kakaoauth.sandbox.faults.catalogue import FAULTS
from kakaoauth.sandbox.faults.codes import KAPI_CODES, KAUTH_CODES, PAGE_CODES, REDIRECT_ERRORS
from kakaoauth.sandbox.signing.tokens import payload_of

#: The many faults leave nothing behind but themselves.
IS_SHARED = True


@pytest.fixture
def tokens(sandbox):
    return sandbox.tokens()


def info(sandbox, tokens):
    return sandbox.call("GET", "/v1/user/access_token_info", tokens["access_token"])


def me(sandbox, tokens):
    return sandbox.call("GET", "/v2/user/me", tokens["access_token"])


def test_every_address_of_kakao_can_break(sandbox):
    assert set(NAMES.values()) | {"refresh"} == ALL
    assert {endpoint for kind in FAULTS.values() for endpoint in kind.endpoints} == ALL
    rules = {rule.endpoint for rule in sandbox.app.url_map.iter_rules()}
    assert set(NAMES) <= rules


@pytest.mark.parametrize("code", PAGE_CODES)
def test_koe_code_on_a_page(sandbox, code):
    sandbox.break_("authorize", code)
    answer = sandbox.authorize()
    assert answer.status_code == 400
    assert page_of(answer) == "error"
    assert code in answer.text
    sandbox.break_("oauth_logout", code)
    assert code in sandbox.browser.get("/oauth/logout").text


@pytest.mark.parametrize("code", KAUTH_CODES)
def test_koe_code_in_json(sandbox, code):
    for endpoint in FAULTS[code].endpoints - {"authorize", "oauth_logout"}:
        sandbox.break_(endpoint, code)
        answer = {
            "token": lambda: sandbox.exchange("a-code"),
            "refresh": lambda: sandbox.refresh("x"),
            "tokeninfo": lambda: sandbox.server.post("/oauth/tokeninfo"),
        }[endpoint]()
        error, description, status = KAUTH_CODES[code]
        assert answer.status_code == status
        assert answer.json == {
            "error": error,
            "error_description": description.replace("{code}", "a-code"),
            "error_code": code,
        }


@pytest.mark.parametrize("code", KAPI_CODES)
def test_kapi_code(sandbox, tokens, code):
    sandbox.break_("user_me", str(code))
    answer = me(sandbox, tokens)
    assert answer.status_code == KAPI_CODES[code][1]
    assert answer.json["code"] == code
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
    assert (set(answer.json) > {"msg", "code", "required_scopes", "allowed_scopes"}) == (code == -402)


def test_quota_is_refused_with_either_status(sandbox, tokens):
    sandbox.break_("user_me", "-10", calls=1)
    assert refused(me(sandbox, tokens), 429, -10)
    sandbox.break_("user_me", "-10", calls=1, status=400)
    assert refused(me(sandbox, tokens), 400, -10)
    assert me(sandbox, tokens).status_code == 200


@pytest.mark.parametrize("code", ["KOE114", "KOE126", "KOE127"])
def test_code_of_the_token_call_never_stands_on_a_page(code):
    assert FAULTS[code].endpoints <= {"token", "refresh"}


def test_expired_token_says_so_in_the_reason(sandbox, tokens):
    sandbox.clock.advance(21600)
    assert me(sandbox, tokens).json["reason"] == "ACCESS_TOKEN_EXPIRED"
    unknown = sandbox.call("GET", "/v2/user/me", "never-issued").json
    assert (unknown["code"], "reason" in unknown) == (-401, False)


def test_reason_goes_with_a_kapi_code(sandbox, tokens):
    sandbox.break_("user_me", "-401", reason="ACCESS_TOKEN_EXPIRED")
    assert me(sandbox, tokens).json["reason"] == "ACCESS_TOKEN_EXPIRED"
    for fault, reason in (("http_503", "ACCESS_TOKEN_EXPIRED"), ("-401", "too bad\n"), ("-401", 7)):
        body = {"endpoint": "user_me", "fault": fault, "reason": reason}
        assert sandbox.api("POST", "faults", body).status_code == 400


def test_missing_consent_names_the_scopes(sandbox, tokens):
    sandbox.break_("user_me", "-402", fields=["talk_message"])
    assert me(sandbox, tokens).json["required_scopes"] == ["talk_message"]


@pytest.mark.parametrize("error", REDIRECT_ERRORS)
def test_error_that_returns_to_the_site(sandbox, error):
    sandbox.break_("authorize", f"back_{error}", calls=1)
    answer = returned(sandbox.authorize())
    assert answer["error"] == ("access_denied" if error == "under_14" else error)
    assert answer["error_description"] == REDIRECT_ERRORS[error]
    assert answer["state"] == "s-1"
    assert page_of(sandbox.authorize()) == "chooser"


def test_no_fault_redirects_to_an_unknown_address(sandbox):
    sandbox.break_("authorize", "back_server_error")
    assert "KOE006" in sandbox.authorize(redirect_uri="http://evil.example/").text


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_plain_http_error(sandbox, tokens, status):
    for endpoint in ALL:
        sandbox.break_(endpoint, f"http_{status}")
    answers = [
        sandbox.authorize(),
        sandbox.exchange("x"),
        sandbox.refresh("x"),
        me(sandbox, tokens),
        info(sandbox, tokens),
        sandbox.call("POST", "/v1/user/logout", tokens["access_token"]),
        sandbox.call("POST", "/v1/user/unlink", tokens["access_token"]),
        sandbox.server.get("/.well-known/jwks.json"),
        sandbox.server.get("/.well-known/openid-configuration"),
        sandbox.browser.get("/oauth/logout"),
    ]
    assert {answer.status_code for answer in answers} == {status}
    assert {answer.mimetype for answer in answers} == {"text/plain"}
    assert sandbox.browser.get("/").status_code == 200


@pytest.mark.parametrize("status", [302, 307])
def test_redirect_leads_to_another_host_whose_log_shows_who_followed(sandbox, tokens, status):
    sandbox.break_("user_me", f"redirect_{status}")
    answer = me(sandbox, tokens)
    assert answer.status_code == status
    assert answer.location == "http://localhost:8001/sandbox/elsewhere"
    sandbox.call("GET", "/sandbox/elsewhere", tokens["access_token"])
    caught = sandbox.api("GET", "log").json[0]
    assert (caught["path"], caught["authorization"]) == ("/sandbox/elsewhere", "Bearer")


def test_odd_bodies(sandbox):
    def body(fault):
        sandbox.break_("jwks", fault, calls=1)
        return sandbox.server.get("/.well-known/jwks.json")

    assert body("empty").data == b""
    assert body("html").mimetype == "text/html"
    assert body("json_list").json == [1, 2, 3]
    assert body("deep_json").data.startswith(b"[[[[")
    with pytest.raises(UnicodeDecodeError):
        body("broken_utf8").data.decode()
    with pytest.raises(json.JSONDecodeError):
        json.loads(body("truncated").data)
    assert body("wrong_content_type").mimetype == "text/plain"
    assert body("wrong_types").json == {"keys": {}}
    assert body("omit_fields").json == {}
    assert set(body("delay").json) == {"keys"}


def test_gzip_bomb_unfolds_to_a_gigabyte(sandbox):
    sandbox.break_("jwks", "gzip_bomb")
    answer = sandbox.server.get("/.well-known/jwks.json")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) < 2_000_000
    one = answer.data[: answer.data.index(b"\x1f\x8b", 2)]
    assert len(gzip.decompress(one)) == 1024 * 1024
    assert answer.data.count(one) == 1024


def test_wrong_types_in_user_me_and_token(sandbox):
    sandbox.break_("token", "wrong_types", calls=1)
    body = sandbox.exchange(sandbox.log_in()).json
    assert (body["access_token"], body["expires_in"]) == (7, "seven")
    tokens = sandbox.tokens()
    sandbox.break_("user_me", "wrong_types")
    body = me(sandbox, tokens).json
    assert body["id"] == "seven"
    assert isinstance(body["kakao_account"], list)


def test_user_me_under_stress_and_with_a_field_missing(sandbox, tokens):
    sandbox.break_("user_me", "omit_fields")
    assert set(me(sandbox, tokens).json) == {"id", "connected_at"}
    sandbox.break_("user_me", "omit_fields", fields=["kakao_account.email", "no.such.thing"])
    account = me(sandbox, tokens).json["kakao_account"]
    assert "email" not in account
    assert account["is_email_valid"] is True


def test_token_answer_without_its_token(sandbox):
    sandbox.break_("token", "omit_fields", calls=1)
    assert "access_token" not in sandbox.exchange(sandbox.log_in()).json
    sandbox.break_("token", "omit_fields", fields=["refresh_token"], calls=1)
    assert "refresh_token" not in sandbox.exchange(sandbox.log_in()).json


def test_somebody_else_answers(sandbox, tokens):
    sandbox.break_("user_me", "other_id")
    assert me(sandbox, tokens).json["id"] == 3902187702
    sandbox.break_("access_token_info", "other_app")
    assert info(sandbox, tokens).json["app_id"] == SETTINGS.app_id + 1
    sandbox.break_("userinfo", "other_id")
    assert sandbox.call("GET", "/v1/oidc/userinfo", tokens["access_token"]).json["sub"] == "3902187702"
    sandbox.break_("discovery", "other_issuer")
    discovered = sandbox.server.get("/.well-known/openid-configuration").json
    assert discovered["issuer"] == "https://issuer.invalid"


def test_refusals_are_not_changed(sandbox):
    sandbox.break_("user_me", "other_id")
    assert refused(sandbox.call("GET", "/v2/user/me", "no-token"), 401, -401)


@pytest.mark.parametrize(
    ("flaw", "claim", "value"),
    [
        ("expired", "exp", 1_789_999_999),
        ("iat_future", "iat", 1_790_086_400),
        ("wrong_nonce", "nonce", "nobody-sent-this"),
        ("no_nonce", "nonce", None),
        ("other_subject", "sub", "3902187702"),
        ("wrong_audience", "aud", "somebody-elses-key"),
        ("wrong_issuer", "iss", "https://issuer.invalid"),
    ],
)
def test_id_token_with_a_wrong_claim_is_signed_all_the_same(sandbox, flaw, claim, value):
    sandbox.break_("token", f"id_token_{flaw}")
    token = sandbox.tokens(nonce="n-1")["id_token"]
    assert payload_of(token).get(claim) == value
    if flaw in ("other_subject", "wrong_nonce"):
        assert sandbox.server.post("/oauth/tokeninfo", data={"id_token": token}).status_code == 200


@pytest.mark.parametrize("flaw", ["bad_signature", "alg_none", "hs256", "unknown_key"])
def test_id_token_with_a_bad_signature(sandbox, flaw):
    sandbox.break_("token", f"id_token_{flaw}")
    token = sandbox.tokens()["id_token"]
    assert koe(sandbox.server.post("/oauth/tokeninfo", data={"id_token": token})) == "KOE402"


def test_id_token_can_stay_away(sandbox):
    sandbox.break_("token", "id_token_missing")
    assert "id_token" not in sandbox.tokens()
    assert "id_token" not in sandbox.tokens()


def test_id_token_fault_without_an_id_token_changes_nothing(sandbox):
    sandbox.api("POST", "console", {"oidc": False})
    sandbox.break_("token", "id_token_expired")
    assert "access_token" in sandbox.tokens()


def test_null_gets_another_type_too(sandbox):
    sandbox.break_("ids", "wrong_types")
    assert sandbox.admin("GET", "/v1/user/ids").json == {"elements": {}, "before_url": 0, "after_url": 0}


def test_fault_lasts_for_so_many_calls_or_until_switched_off(sandbox, tokens):
    sandbox.break_("user_me", "-1", calls=2)
    assert [me(sandbox, tokens).status_code for _ in range(3)] == [400, 400, 200]
    sandbox.break_("user_me", "-7")
    assert [me(sandbox, tokens).status_code for _ in range(3)] == [400, 400, 400]
    sandbox.api("POST", "faults", {"endpoint": "user_me", "fault": None})
    assert me(sandbox, tokens).status_code == 200
    sandbox.break_("user_me", "-7")
    assert sandbox.api("DELETE", "faults").json == []
    assert me(sandbox, tokens).status_code == 200


def test_refresh_breaks_without_the_code_exchange_and_the_reverse(sandbox, tokens):
    sandbox.break_("refresh", "KOE322")
    assert koe(sandbox.refresh(tokens["refresh_token"])) == "KOE322"
    assert "access_token" in sandbox.tokens()
    sandbox.api("DELETE", "faults")
    sandbox.break_("token", "http_500")
    assert sandbox.refresh(tokens["refresh_token"]).status_code == 200


def test_code_is_unspent_after_an_error_but_spent_when_the_answer_is_changed(sandbox):
    code = sandbox.log_in()
    sandbox.break_("token", "http_503", calls=1)
    assert sandbox.exchange(code).status_code == 503
    sandbox.break_("token", "truncated", calls=1)
    assert sandbox.exchange(code).status_code == 200
    assert koe(sandbox.exchange(code)) == "KOE320"


@pytest.mark.parametrize(
    "body",
    [
        {"endpoint": "user_me", "fault": "KOE101"},
        {"endpoint": "token", "fault": "-1"},
        {"endpoint": "token", "fault": "never"},
        {"endpoint": "nowhere", "fault": "empty"},
        {"endpoint": "token", "fault": "empty", "calls": 0},
        {"endpoint": "token", "fault": "empty", "calls": True},
        {"endpoint": "token", "fault": "empty", "calls": "3"},
        {"endpoint": "token", "fault": "delay", "milliseconds": 999_999_999},
        {"endpoint": "token", "fault": "empty", "status": 99},
        {"endpoint": "token", "fault": "omit_fields", "fields": "access_token"},
        {"endpoint": "token", "fault": "empty", "often": 1},
        {"endpoint": 7, "fault": "empty"},
    ],
)
def test_nonsense_is_refused(sandbox, body):
    answer = sandbox.api("POST", "faults", body)
    assert answer.status_code == 400
    assert answer.json["error"] == "invalid_request"
    assert sandbox.api("GET", "faults").json == []


def test_catalogue_is_public(sandbox):
    catalogue = sandbox.api("GET", "faults/catalogue").json
    assert catalogue["-1"]["group"] == "kapi"
    assert catalogue["KOE322"]["endpoints"] == ["refresh"]
    assert catalogue["delay"]["endpoints"] == sorted(ALL)


def test_fault_page(sandbox):
    def send(**form):
        token = sandbox.browser.get("/sandbox/faults").text.split('name="token" value="')[1].split('"')[0]
        return sandbox.browser.post("/sandbox/faults", data={"token": token} | form)

    answer = send(endpoint="authorize", fault="KOE003", calls="1", milliseconds="5", status="503", fields="a b")
    assert answer.status_code == 303
    assert 'data-fault="authorize"' in sandbox.browser.get("/sandbox/faults").text
    assert sandbox.authorize().status_code == 503
    send(endpoint="token", fault="empty")
    send(off="token")
    assert sandbox.state.faults.describe() == []
    for odd in ({"endpoint": "authorize", "fault": "-1"}, {"endpoint": "token", "fault": "empty", "calls": "many"}):
        answer = send(**odd)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert sandbox.browser.post("/sandbox/faults", data={"off": "token"}).status_code == 400


# What only a real connection shows


def ask(port, path="/.well-known/jwks.json"):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read()


def test_connection_is_cut(sandbox):
    with serving(sandbox) as port:
        sandbox.break_("jwks", "cut_before_headers")
        with pytest.raises(http.client.RemoteDisconnected):
            ask(port)
        for fault in ("cut_after_headers", "cut_in_body"):
            sandbox.break_("jwks", fault, calls=1)
            with pytest.raises(http.client.IncompleteRead) as caught:
                ask(port)
            assert bool(caught.value.partial) == (fault == "cut_in_body")
        assert ask(port)[0].status == 200


def test_cut_comes_after_the_work_so_that_the_code_is_burnt(sandbox):
    code = sandbox.log_in()
    form = {"grant_type": "authorization_code", "client_id": SETTINGS.client_id, "redirect_uri": CALLBACK, "code": code}
    text = "&".join(f"{name}={value}" for name, value in form.items()) + f"&client_secret={SETTINGS.client_secret}"
    sandbox.break_("token", "cut_before_headers", calls=1)
    with serving(sandbox) as port, closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/token", text, headers)
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
    assert koe(sandbox.exchange(code)) == "KOE320"


def test_answer_comes_byte_by_byte(sandbox):
    sandbox.break_("jwks", "drip", milliseconds=1)
    sandbox.api("POST", "keys/unpublish")
    with serving(sandbox) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        parts = []
        while part := raw.recv(65536):
            parts.append(part)
    assert b"".join(parts).endswith(b'{"keys":[]}')
    assert len(parts) > 20  # a busy machine reads several bytes at once


def test_answer_is_late(sandbox):
    sandbox.break_("jwks", "delay", milliseconds=30)
    with serving(sandbox) as port:
        begun = time.monotonic()
        assert ask(port)[0].status == 200
        assert time.monotonic() - begun >= 0.03
        sandbox.break_("jwks", "http_500", milliseconds=30)
        begun = time.monotonic()
        assert ask(port)[0].status == 500
        assert time.monotonic() - begun >= 0.03


@pytest.mark.parametrize(("fault", "length"), [("huge_body", str(50 * 1024 * 1024)), ("endless_body", None)])
def test_huge_body_is_streamed(sandbox, fault, length):
    sandbox.break_("jwks", fault)
    with serving(sandbox) as port, closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/.well-known/jwks.json")
        answer = connection.getresponse()
        assert answer.headers["Content-Length"] == length
        assert (answer.headers["Transfer-Encoding"] == "chunked") == (length is None)
        received = 0
        while part := answer.read(1024 * 1024):
            received += len(part)
        assert received == 50 * 1024 * 1024
        # The same connection goes on
        connection.request("GET", "/.well-known/openid-configuration")
        assert connection.getresponse().status == 200


def test_client_that_hangs_up_is_no_error(sandbox, caplog):
    sandbox.break_("jwks", "huge_body")
    with serving(sandbox) as port:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/.well-known/jwks.json")
            connection.getresponse().read(10)
        assert ask(port, "/.well-known/openid-configuration")[0].status == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
