"""The sandbox's Apple."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from support.accounts import CHALLENGE, ORIGIN, VERIFIER, AccountSandbox, apple_secret, came_back, error_of, posted
from support.sandbox import page_of, receiver

from kakaoauth.sandbox.apple.notifications import EVENTS, FLAWS

HALF_A_YEAR = 15_777_000


class AppleSandbox(AccountSandbox):
    provider = "apple"

    def authorize(self, **query):
        given = {"client_id": self.app_settings.client_id, "redirect_uri": self.callback, "response_type": "code"}
        given |= {"scope": "name email", "response_mode": "form_post", "state": "s 1"} | query
        text = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in given.items() if value is not None)
        return self.browser.get(f"/apple/auth/authorize?{text}")

    def come_back(self, person="haneul", hide=False, **query):
        form = {"hide_email": "1"} if hide else {}
        return posted(self.walk(self.authorize(**query), person, **form), self.callback)

    def exchange(self, code, **form):
        given = {"client_id": self.app_settings.client_id, "client_secret": apple_secret(self), "code": code}
        given |= {"grant_type": "authorization_code", "redirect_uri": self.callback}
        return self.post("/auth/token", **(given | form))

    def tokens(self, person="haneul", **more):
        answer = self.exchange(self.come_back(person, **more)["code"])
        assert answer.status_code == 200, answer.text
        return answer.json

    def id_token(self, person="haneul", **more):
        return self.claims(self.tokens(person, **more)["id_token"])

    def refresh(self, token, **form):
        return self.exchange(None, grant_type="refresh_token", refresh_token=token, redirect_uri=None, **form)


KIND = AppleSandbox


def test_login_returns_by_a_form_that_sends_itself(sandbox):
    answer = sandbox.walk(sandbox.authorize(nonce="n-1"), "haneul")
    fields = posted(answer, sandbox.callback)
    assert set(fields) == {"code", "state", "user"}
    assert fields["state"] == "s 1"
    assert json.loads(fields["user"]) == {
        "name": {"firstName": "하늘", "lastName": "김"},
        "email": "haneul@example.kr",
    }
    assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]
    tokens = sandbox.exchange(fields["code"]).json
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    claims = sandbox.claims(tokens["id_token"])
    assert (claims["iss"], claims["aud"]) == (f"{ORIGIN}/apple", sandbox.app_settings.client_id)
    assert (claims["nonce"], claims["nonce_supported"], claims["email"]) == ("n-1", True, "haneul@example.kr")
    assert (claims["email_verified"], "is_private_email" in claims) == ("true", False)
    assert claims["exp"] - claims["iat"] == 600
    assert claims["at_hash"]
    assert "name" not in claims


def test_name_comes_once_until_the_person_takes_the_app_away(sandbox):
    assert "user" in sandbox.come_back()
    assert "user" not in sandbox.come_back()
    assert sandbox.id_token()["email"] == "haneul@example.kr"
    sandbox.control("POST", "people/haneul/remove")
    assert "user" in sandbox.come_back()


def test_markup_in_a_name_arrives_as_it_is(sandbox):
    name = json.loads(sandbox.come_back("html")["user"])["name"]
    assert name["firstName"].startswith("<b>여우</b>")


def test_hidden_address_is_a_relay(sandbox):
    user = json.loads(sandbox.come_back("hidden", hide=True)["user"])
    claims = sandbox.id_token()
    assert claims["email"] == user["email"]
    assert claims["email"].endswith("@privaterelay.appleid.com")
    assert (claims["email_verified"], claims["is_private_email"]) == ("true", "true")
    sandbox.change(texts_for_flags=False)
    assert sandbox.id_token()["is_private_email"] is True


def test_school_account_may_be_unverified_or_without_an_address(sandbox):
    assert sandbox.id_token("school")["email_verified"] == "false"
    sandbox.browser = sandbox.app.test_client()
    assert "email" not in sandbox.id_token("noemail")


def test_cancel_comes_back_by_the_same_form(sandbox):
    answer = sandbox.decide(sandbox.be(sandbox.authorize(), "haneul"), decision="cancel")
    assert posted(answer, sandbox.callback) == {"error": "user_cancelled_authorize", "state": "s 1"}


def test_without_a_scope_the_answer_may_be_a_redirect(sandbox):
    answer = sandbox.walk(sandbox.authorize(scope=None, response_mode=None), "haneul")
    values = came_back(answer, sandbox.callback)
    assert values["state"] == "s 1"
    assert "email" not in sandbox.claims(sandbox.exchange(values["code"]).json["id_token"])
    answer = sandbox.authorize(scope=None, response_mode="fragment", response_type="code id_token", nonce="n")
    fragment = parse_qs(urlsplit(answer.location).fragment)
    assert sandbox.claims(fragment["id_token"][0])["nonce"] == "n"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": "kr.example.sandbox.app"}, "invalid_client"),
        ({"redirect_uri": "http://localhost:8000/apple/login/callback"}, "invalid_request"),
        ({"response_type": "id_token"}, "invalid_request"),
        ({"response_mode": "query"}, "invalid_request"),
        ({"response_mode": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "query", "response_type": "code id_token", "scope": None}, "invalid_request"),
        ({"scope": "name+email"}, "invalid_scope"),
        ({"scope": "name phone"}, "invalid_scope"),
        ({"code_challenge": "x", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_wrong_request_ends_on_a_page(sandbox, query, error):
    assert error_of(sandbox.authorize(**query)) == error


@pytest.mark.parametrize(
    "uri", ["http://localhost:8000/x", "http://site.example/x", "https://127.0.0.1/x", "https://10.1.2.3/x"]
)
def test_strict_sandbox_refuses_what_apple_refuses(sandbox, uri):
    sandbox.change(redirect_uris=(uri, "https://site.example/x"), local_redirects=False)
    assert error_of(sandbox.authorize(redirect_uri=uri)) == "invalid_request"
    assert page_of(sandbox.authorize(redirect_uri="https://site.example/x")) == "account_chooser"


# The client secret


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "OTHERTEAM1"},
        {"iss": None},
        {"sub": "kr.example.sandbox.app"},
        {"aud": "https://appleid.example"},
        {"aud": f"{ORIGIN}/apple"},
        {"aud": ["https://appleid.apple.com"]},
        {"exp": 1_790_000_000 + HALF_A_YEAR + 1},
        {"exp": 1_790_000_000 - 1},
        {"exp": None},
        {"iat": None},
        {"kid": "OTHERKEY01"},
        {"key": ECKey.generate_key("P-256")},
    ],
)
def test_client_secret_that_is_wrong_is_invalid_client(sandbox, changes):
    answer = sandbox.exchange(sandbox.come_back()["code"], client_secret=apple_secret(sandbox, **changes))
    assert (answer.status_code, answer.json) == (400, {"error": "invalid_client"})


@pytest.mark.parametrize("secret", ["", "not-a-jwt", "a.b.c"])
def test_client_secret_that_is_none_is_invalid_client(sandbox, secret):
    assert sandbox.exchange("x", client_secret=secret).json == {"error": "invalid_client"}


def test_client_secret_may_live_for_six_months(sandbox):
    secret = apple_secret(sandbox, exp=1_790_000_000 + HALF_A_YEAR)
    code = sandbox.come_back()["code"]
    assert sandbox.exchange(code, client_secret=secret).status_code == 200
    sandbox.clock.advance(HALF_A_YEAR)
    assert sandbox.exchange(code, client_secret=secret).json == {"error": "invalid_client"}


# Tokens


def test_code_works_once_and_for_five_minutes(sandbox):
    code = sandbox.come_back()["code"]
    assert sandbox.exchange(code).status_code == 200
    assert "already been used" in sandbox.exchange(code).json["error_description"]
    code = sandbox.come_back()["code"]
    sandbox.clock.advance(301)
    answer = sandbox.exchange(code)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert "expired or has been revoked" in answer.json["error_description"]


def test_redirect_uri_and_verifier_are_checked(sandbox):
    assert sandbox.exchange(sandbox.come_back()["code"], redirect_uri="x").json["error"] == "invalid_client"
    query = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    assert sandbox.exchange(sandbox.come_back(**query)["code"]).json["error"] == "invalid_grant"
    assert sandbox.exchange(sandbox.come_back(**query)["code"], code_verifier=VERIFIER).status_code == 200


def test_doubled_parameter_and_unknown_grant_are_refused(sandbox):
    form = {"client_id": ["a", "b"], "client_secret": "x"}
    assert sandbox.server.post("/apple/auth/token", data=form).json == {"error": "invalid_request"}
    assert sandbox.exchange("x", grant_type="password").json == {"error": "unsupported_grant_type"}


def test_refresh_brings_an_access_token_alone(sandbox):
    tokens = sandbox.tokens()
    assert set(sandbox.refresh(tokens["refresh_token"]).json) == {"access_token", "token_type", "expires_in"}
    sandbox.control("POST", "people/haneul/remove")
    assert sandbox.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_revoke_ends_the_link_and_is_silent_about_dead_tokens(sandbox):
    tokens = sandbox.tokens()
    form = {"client_id": sandbox.app_settings.client_id, "client_secret": apple_secret(sandbox)}
    assert sandbox.post("/auth/revoke", token="x", **(form | {"client_secret": "x"})).json["error"] == "invalid_client"
    assert sandbox.post("/auth/revoke", **form).json["error"] == "invalid_request"
    for _ in range(2):
        answer = sandbox.post("/auth/revoke", token=tokens["refresh_token"], **form)
        assert (answer.status_code, answer.data) == (200, b"")
    assert sandbox.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert "user" in sandbox.come_back()


def test_native_code_is_for_the_app_and_has_no_address(sandbox):
    app_id = sandbox.app_settings.app_ids[0]
    code = sandbox.control("POST", "people/haneul/log-in", {"client_id": app_id, "as_code": True, "nonce": "n"})["code"]
    assert sandbox.exchange(code).json["error"] == "invalid_grant"
    form = {"client_id": app_id, "client_secret": apple_secret(sandbox, sub=app_id)}
    assert sandbox.exchange(code, **form).json["error"] == "invalid_client"
    claims = sandbox.claims(sandbox.exchange(code, redirect_uri=None, **form).json["id_token"])
    assert (claims["aud"], claims["nonce"], claims["real_user_status"]) == (app_id, "n", 2)
    foreign = sandbox.control("POST", "tokens", {"person": "haneul", "client_id": "com.other.team"})
    assert sandbox.claims(foreign["id_token"])["sub"] != claims["sub"]


def test_several_keys_are_published_and_discovery_has_no_userinfo(sandbox):
    assert len(sandbox.server.get("/apple/auth/keys").json["keys"]) == 2
    body = sandbox.server.get("/apple/.well-known/openid-configuration").json
    assert "userinfo_endpoint" not in body
    sandbox.break_("apple_discovery", "other_issuer")
    assert sandbox.server.get("/apple/.well-known/openid-configuration").json["issuer"] == "https://issuer.invalid"


# Notifications


def read_notification(sandbox, request):
    _, _, headers, body = request
    text = (
        json.loads(body)["payload"]
        if headers["Content-Type"] == "application/json"
        else parse_qs(body.decode())["payload"][0]
    )
    return sandbox.claims(text)


def test_person_who_leaves_is_told_of(sandbox):
    with receiver() as hook:
        hook.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        sandbox.control("POST", "app", {"notification_url": hook.url})
        subject = sandbox.id_token("hidden", hide=True)["sub"]
        email = sandbox.id_token()["email"]
        for on, kind in ((False, "email-disabled"), (True, "email-enabled")):
            [sent] = sandbox.control("POST", "people/hidden/relay", {"on": on, "wait": True})
            assert (sent["name"], sent["status"]) == (kind, 200)
            claims = read_notification(sandbox, hook.requests[-1])
            event = json.loads(claims["events"])
            assert (event["type"], event["sub"], event["email"]) == (kind, subject, email)
            assert event["event_time"] == int(sandbox.clock.now()) * 1000
            assert (claims["aud"], claims["jti"]) == (sandbox.app_settings.client_id, sent["jti"])
        assert sandbox.control("POST", "people/hidden/relay", {"on": True, "wait": True}) == []
        sandbox.control("POST", "people/hidden/remove", {"wait": True})
        assert json.loads(read_notification(sandbox, hook.requests[-1])["events"])["type"] == "consent-revoked"
        sandbox.tokens("hidden")
        sandbox.control("DELETE", "people/hidden", {"wait": True})
        assert json.loads(read_notification(sandbox, hook.requests[-1])["events"])["type"] == "account-deleted"


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_can_be_sent(sandbox, event):
    with receiver() as hook:
        sandbox.change(notification_url=hook.url)
        sandbox.control("POST", "messages/send", {"event": event, "person": "haneul", "wait": True})
        assert json.loads(read_notification(sandbox, hook.requests[0])["events"])["type"] == event


@pytest.mark.parametrize("flaw", FLAWS)
def test_sample_has_the_flaw_that_was_asked_for(sandbox, flaw):
    with receiver() as hook:
        sandbox.change(notification_url=hook.url)
        body = {"event": "consent-revoked", "person": "haneul", "flaws": [flaw], "wait": True}
        sandbox.control("POST", "messages/send", body)
        assert len(hook.requests) == (2 if flaw == "duplicate" else 1)
        request, now = hook.requests[0], int(sandbox.clock.now())
        if flaw == "no_payload":
            assert request[3] == b"{}"
            return
        if flaw in ("bad_signature", "alg_none", "hs256", "unknown_key"):
            with pytest.raises((JoseError, ValueError)):
                jwt.decode(json.loads(request[3])["payload"], sandbox.keys(), algorithms=["RS256"])
            return
        claims = read_notification(sandbox, request)
        assert (claims["aud"] == sandbox.app_settings.client_id) == (flaw != "wrong_audience")
        assert (claims["iss"] == f"{ORIGIN}/apple") == (flaw != "wrong_issuer")
        assert claims["iat"] - now == {"iat_past": -30 * 86400, "iat_future": 86400}.get(flaw, 0)
        assert claims.get("exp") == {"with_exp": now + 86400, "expired": now - 1}.get(flaw)
        assert ("events" in claims) == (flaw != "no_events")
        assert isinstance(claims.get("events"), dict) == (flaw == "events_object")
        assert request[2]["Content-Type"].startswith("application/x-www-form") == (flaw == "in_form")
        if flaw not in ("no_events", "events_object"):
            event = json.loads(claims["events"])
            assert (event["type"] == "never-heard-of") == (flaw == "unknown_event")
            assert event["sub"].startswith("000000") == (flaw == "unknown_user")
