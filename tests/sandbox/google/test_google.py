"""The sandbox's Google."""

import base64
import re

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from support.accounts import CHALLENGE, ORIGIN, VERIFIER, AccountSandbox, came_back, error_of
from support.sandbox import page_of, receiver, request_id

from kakaoauth.sandbox.google.events import EVENTS, FLAWS

LONG = "https://www.googleapis.com/auth/userinfo"
EVERYTHING = "openid email profile"


class GoogleSandbox(AccountSandbox):
    provider = "google"

    def authorize(self, headers=None, **query):
        given = {"client_id": self.app_settings.client_id, "redirect_uri": self.callback, "response_type": "code"}
        return self.begin("/o/oauth2/v2/auth", given | {"scope": EVERYTHING, "state": "s 1"} | query, headers=headers)

    def come_back(self, person="gmail", **query):
        return came_back(self.walk(self.authorize(**query), person), self.callback)

    def exchange(self, code, **form):
        settings = self.app_settings
        given = {"client_id": settings.client_id, "client_secret": settings.client_secret, "code": code}
        given |= {"grant_type": "authorization_code", "redirect_uri": self.callback}
        return self.post("/token", **(given | form))

    def tokens(self, person="gmail", **query):
        answer = self.exchange(self.come_back(person, **query)["code"])
        assert answer.status_code == 200, answer.text
        return answer.json

    def id_token(self, person="gmail", **query):
        return self.claims(self.tokens(person, **query)["id_token"])

    def userinfo(self, token):
        return self.server.get("/google/v1/userinfo", headers={"Authorization": f"Bearer {token}"})

    def refresh(self, token, **form):
        return self.exchange(None, grant_type="refresh_token", refresh_token=token, redirect_uri=None, **form)


KIND = GoogleSandbox


def test_login_leads_through_chooser_and_consent_to_the_site(sandbox):
    values = came_back(sandbox.walk(sandbox.authorize(nonce="n-1"), "workspace"), sandbox.callback)
    assert values["code"].startswith("4/")
    assert values == {
        "code": values["code"],
        "state": "s 1",
        "scope": f"openid {LONG}.email {LONG}.profile",
        "authuser": "0",
        "hd": "company.example",
        "prompt": "consent",
    }
    answer = sandbox.exchange(values["code"]).json
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3599)
    assert "refresh_token" not in answer
    claims = sandbox.claims(answer["id_token"])
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (
        f"{ORIGIN}/google",
        sandbox.app_settings.client_id,
        "n-1",
    )
    assert (claims["hd"], claims["email"], claims["email_verified"]) == ("company.example", "oh@company.example", True)
    assert claims["at_hash"]
    assert claims["exp"] - claims["iat"] == 3600
    info = sandbox.userinfo(answer["access_token"]).json
    assert {name: claims[name] for name in info} == info


def test_second_login_sees_no_page_unless_asked_for(sandbox):
    sandbox.tokens()
    assert came_back(sandbox.authorize(), sandbox.callback)["prompt"] == "none"
    assert page_of(sandbox.authorize(prompt="consent")) == "account_consent"
    assert page_of(sandbox.authorize(prompt="select_account consent")) == "account_chooser"


def test_cancel_returns_with_access_denied(sandbox):
    answer = sandbox.decide(sandbox.be(sandbox.authorize(), "gmail"), decision="cancel")
    assert came_back(answer, sandbox.callback) == {"error": "access_denied", "state": "s 1"}


def test_silent_login_answers_without_a_page(sandbox):
    assert came_back(sandbox.authorize(prompt="none"), sandbox.callback)["error"] == "login_required"
    sandbox.be(sandbox.authorize(), "gmail")
    assert came_back(sandbox.authorize(prompt="none"), sandbox.callback)["error"] == "consent_required"
    sandbox.tokens()
    assert came_back(sandbox.authorize(prompt="none"), sandbox.callback)["code"]


@pytest.mark.parametrize(
    ("query", "error", "status"),
    [
        ({"client_id": "nobody"}, "invalid_client", 401),
        ({"redirect_uri": "http://localhost:8000/google/login/callback"}, "redirect_uri_mismatch", 400),
        ({"scope": None}, "invalid_request", 400),
        ({"response_type": None}, "invalid_request", 400),
        ({"response_type": "token"}, "unsupported_response_type", 400),
        ({"scope": "openid calendar"}, "invalid_scope", 400),
        ({"scope": "email openid"}, "invalid_scope", 400),
        ({"prompt": "login"}, "invalid_request", 400),
        ({"prompt": "none consent"}, "invalid_request", 400),
        ({"code_challenge": "short"}, "invalid_request", 400),
    ],
)
def test_wrong_request_ends_on_a_page(sandbox, query, error, status):
    answer = sandbox.authorize(**query)
    assert (error_of(answer), answer.status_code) == (error, status)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (iPhone) AppleWebKit/605 KAKAOTALK 11.2.3",
        "Mozilla/5.0 NAVER(inapp; search; 2000; 12.1.0)",
        "Mozilla/5.0 (Linux; Android 14; SM-S921N; wv) Chrome/120",
    ],
)
def test_browser_inside_an_app_is_refused(sandbox, agent):
    answer = sandbox.authorize(headers={"User-Agent": agent})
    assert (error_of(answer), answer.status_code) == ("disallowed_useragent", 403)


def test_who_may_log_in_is_the_consoles_to_say(sandbox):
    sandbox.control("POST", "app", {"testing": True, "testers": ["gmail"]})
    assert error_of(sandbox.be(sandbox.authorize(), "haneul")) == "access_denied"
    sandbox.control("POST", "app", {"testing": False, "internal": "company.example"})
    sandbox.browser = sandbox.app.test_client()
    assert error_of(sandbox.be(sandbox.authorize(), "gmail")) == "org_internal"
    assert sandbox.come_back("workspace", prompt="select_account")["code"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.com/callback",
        "https://10.1.2.3/callback",
        "https://example.com/callback#part",
        "https://user@example.com/callback",
        "https://*.example.com/callback",
        "https://intranet/callback",
        "myapp:/callback",
    ],
)
def test_console_refuses_odd_redirect_uris(sandbox, uri):
    answer = sandbox.api("POST", "google/app", {"redirect_uris": [uri]})
    assert answer.status_code == 400
    assert "Invalid Redirect" in answer.json["error_description"]


# Tokens


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({"client_secret": "wrong"}, "invalid_client", 401),
        ({"client_id": "wrong"}, "invalid_client", 401),
        ({"redirect_uri": "http://localhost:8000/other"}, "redirect_uri_mismatch", 400),
        ({"code": "4/never-was"}, "invalid_grant", 400),
        ({"code_verifier": VERIFIER}, "invalid_grant", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
    ],
)
def test_token_address_refuses(sandbox, form, error, status):
    answer = sandbox.exchange(**({"code": sandbox.come_back()["code"]} | form))
    assert (answer.json["error"], answer.status_code) == (error, status)


def test_client_may_prove_itself_by_basic(sandbox):
    settings = sandbox.app_settings
    form = {"grant_type": "authorization_code", "code": sandbox.come_back()["code"], "redirect_uri": sandbox.callback}
    wrong = base64.b64encode(f"{settings.client_id}:wrong".encode()).decode()
    right = base64.b64encode(f"{settings.client_id}:{settings.client_secret}".encode()).decode()
    for credentials, status in ((wrong, 401), ("%%%", 401), (right, 200)):
        headers = {"Authorization": f"Basic {credentials}"}
        assert sandbox.server.post("/google/token", data=form, headers=headers).status_code == status


@pytest.mark.parametrize(("method", "challenge"), [("S256", CHALLENGE), ("plain", VERIFIER), (None, VERIFIER)])
def test_verifier_is_checked(sandbox, method, challenge):
    query = {"code_challenge": challenge, "code_challenge_method": method}
    for verifier in (None, "w" * 43):
        answer = sandbox.exchange(sandbox.come_back(**query)["code"], code_verifier=verifier)
        assert (answer.json["error"], answer.status_code) == ("invalid_grant", 400)
    assert sandbox.exchange(sandbox.come_back(**query)["code"], code_verifier=VERIFIER).status_code == 200


def test_code_works_once_and_ends(sandbox):
    code = sandbox.come_back()["code"]
    assert sandbox.exchange(code).status_code == 200
    spent = sandbox.exchange(code)
    assert (spent.status_code, spent.json) == (400, {"error": "invalid_grant", "error_description": "Bad Request"})
    code = sandbox.come_back()["code"]
    sandbox.clock.advance(601)
    assert sandbox.exchange(code).json["error"] == "invalid_grant"


def test_refresh_token_comes_at_the_first_consent_only(sandbox):
    first = sandbox.tokens(access_type="offline")
    assert first["refresh_token"]
    assert "refresh_token" not in sandbox.tokens(access_type="offline")
    assert sandbox.tokens(access_type="offline", prompt="consent")["refresh_token"]
    again = sandbox.refresh(first["refresh_token"]).json
    assert "refresh_token" not in again
    assert "nonce" not in sandbox.claims(again["id_token"])
    assert sandbox.userinfo(again["access_token"]).status_code == 200
    assert sandbox.refresh("never-was").json["error"] == "invalid_grant"


# Who it is


def test_email_is_what_google_vouches_for(sandbox):
    claims = sandbox.id_token("unverified")
    assert claims["email_verified"] is False
    assert "hd" not in claims
    sandbox.browser = sandbox.app.test_client()
    claims = sandbox.id_token("haneul")
    assert (claims["email"], claims["email_verified"]) == ("haneul@example.kr", True)
    assert "hd" not in claims


def test_picture_is_the_sandboxs_own_where_it_has_some(sandbox):
    assert sandbox.id_token()["picture"].startswith("https://lh3.googleusercontent.com/")
    sandbox.state.change_settings(picture_base=None)
    picture = sandbox.id_token()["picture"]
    assert sandbox.browser.get(picture.removeprefix(ORIGIN)).content_type == "image/svg+xml"


def test_people_are_found_on_the_login_page(sandbox):
    query = {"request": request_id(sandbox.authorize()), "q": "오직원"}
    found = sandbox.browser.get("/google/login/step", query_string=query)
    assert re.findall(r'name="person" value="(\w+)"', found.text) == ["workspace"]
    assert page_of(sandbox.be(found, "workspace")) == "account_consent"


def test_scope_decides_what_comes(sandbox):
    assert not {"email", "name", "picture"} & set(sandbox.id_token(scope="openid"))
    sandbox.browser = sandbox.app.test_client()
    assert not {"name", "picture"} & set(sandbox.id_token("noname"))
    assert "id_token" not in sandbox.tokens("noname", scope="email")


def test_issuer_has_two_forms(sandbox):
    sandbox.change(short_issuer=True, iss_parameter=True)
    values = sandbox.come_back()
    assert values["iss"] == f"{ORIGIN}/google"
    assert sandbox.claims(sandbox.exchange(values["code"]).json["id_token"])["iss"] == "127.0.0.1:8001/google"


def test_keys_are_rotated_and_may_be_kept_for_a_while(sandbox):
    answer = sandbox.server.get("/google/oauth2/v3/certs")
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    old = sandbox.tokens()["id_token"]
    signing = sandbox.control("POST", "keys/rotate")["signing"]
    assert signing not in answer.text
    assert sandbox.claims(old)
    sandbox.control("POST", "keys/drop-old")
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(old, sandbox.keys(), algorithms=["RS256"])


def test_tokeninfo_says_for_whom_a_token_is_and_everything_as_text(sandbox):
    tokens = sandbox.tokens()
    body = sandbox.server.get("/google/tokeninfo", query_string={"access_token": tokens["access_token"]}).json
    assert (body["aud"], body["email_verified"]) == (sandbox.app_settings.client_id, "true")
    body = sandbox.server.get("/google/tokeninfo", query_string={"id_token": tokens["id_token"]}).json
    assert body["exp"] == str(int(sandbox.clock.now()) + 3600)
    for query in ({"access_token": "x"}, {"id_token": "a.b.c"}, {}):
        answer = sandbox.server.get("/google/tokeninfo", query_string=query)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_token")
    foreign = sandbox.control("POST", "tokens", {"person": "gmail", "client_id": "other.apps"})
    body = sandbox.server.get("/google/tokeninfo", query_string={"access_token": foreign["access_token"]}).json
    assert body["aud"] == "other.apps"
    assert sandbox.claims(foreign["id_token"])["aud"] == "other.apps"
    assert body["sub"] == sandbox.state.accounts["google"].people["gmail"].subject


def test_native_client_gets_an_id_token_for_the_sites_server(sandbox):
    settings = sandbox.app_settings
    android = settings.app_client_ids[0]
    body = sandbox.control("POST", "people/gmail/log-in", {"client_id": android, "nonce": "n"})
    claims = sandbox.claims(body["id_token"])
    assert (claims["aud"], claims["azp"], claims["nonce"]) == (settings.client_id, android, "n")
    assert sandbox.api("POST", "google/people/gmail/log-in", {"client_id": "other"}).status_code == 400
    code = sandbox.control("POST", "people/gmail/log-in", {"redirect_uri": sandbox.callback})["code"]
    assert sandbox.exchange(code).status_code == 200


def test_revoke_takes_everything_with_it(sandbox):
    tokens = sandbox.tokens(access_type="offline")
    assert sandbox.post("/revoke", token=tokens["access_token"]).status_code == 200
    assert sandbox.userinfo(tokens["access_token"]).status_code == 401
    assert sandbox.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert sandbox.post("/revoke", token=tokens["access_token"]).status_code == 400
    assert page_of(sandbox.authorize()) == "account_consent"


# Security events


def test_configuration_names_the_issuer_with_a_slash(sandbox):
    body = sandbox.server.get("/google/.well-known/risc-configuration").json
    assert (body["issuer"], body["jwks_uri"]) == (f"{ORIGIN}/google/", f"{ORIGIN}/google/oauth2/v3/certs")


def test_person_who_takes_the_app_away_is_told_of(sandbox):
    with receiver() as hook:
        sandbox.control("POST", "app", {"events_url": hook.url})
        tokens = sandbox.tokens()
        [sent] = sandbox.control("POST", "people/gmail/remove", {"wait": True})
        assert (sent["name"], sent["status"]) == ("tokens-revoked", 202)
        _, _, headers, body = hook.requests[-1]
        assert headers["Content-Type"] == "application/secevent+jwt"
        claims = sandbox.claims(body.decode())
        [(kind, event)] = claims["events"].items()
        assert kind == "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked"
        assert event["subject"] == {
            "subject_type": "iss-sub",
            "iss": f"{ORIGIN}/google/",
            "sub": sandbox.state.accounts["google"].people["gmail"].subject,
        }
        assert (claims["aud"], sent["jti"]) == (sandbox.app_settings.client_id, claims["jti"])
        assert "exp" not in claims
        assert sandbox.userinfo(tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_can_be_sent(sandbox, event):
    with receiver() as hook:
        sandbox.change(events_url=hook.url)
        refresh = sandbox.tokens(access_type="offline")["refresh_token"]
        [sent] = sandbox.control("POST", "messages/send", {"event": event, "person": "gmail", "wait": True})
        assert sent["status"] == 202
        [content] = sandbox.claims(hook.requests[0][3].decode())["events"].values()
        if event == "token-revoked":
            assert "sub" not in content["subject"]
            assert content["subject"]["token"] == refresh[:16]
        elif event == "verification":
            assert content == {"state": "sandbox"}
        else:
            assert content["subject"]["sub"].startswith("1048")
        assert content.get("reason") == ("hijacking" if event == "account-disabled" else None)


@pytest.mark.parametrize("flaw", FLAWS)
def test_sample_has_the_flaw_that_was_asked_for(sandbox, flaw):
    with receiver() as hook:
        sandbox.change(events_url=hook.url)
        body = {"event": "account-disabled", "person": "gmail", "flaws": [flaw], "wait": True}
        sandbox.control("POST", "messages/send", body)
        assert len(hook.requests) == (2 if flaw == "duplicate" else 1)
        token, now = hook.requests[0][3].decode(), int(sandbox.clock.now())
        if flaw in ("bad_signature", "alg_none", "hs256", "unknown_key"):
            with pytest.raises((JoseError, ValueError)):
                jwt.decode(token, sandbox.keys(), algorithms=["RS256"])
            return
        claims = sandbox.claims(token)
        assert (claims["aud"] == sandbox.app_settings.client_id) == (flaw != "wrong_audience")
        assert (claims["iss"] == f"{ORIGIN}/google/") == (flaw != "wrong_issuer")
        assert claims["iat"] - now == {"iat_past": -30 * 86400, "iat_future": 86400}.get(flaw, 0)
        assert claims.get("exp") == (now - 86400 if flaw == "old_exp" else None)
        assert ("events" in claims) == (flaw != "no_events")
        events = claims.get("events", {})
        assert isinstance(events, list) == (flaw == "events_list")
        if isinstance(events, dict) and events:
            content = next(iter(events.values()))
            assert len(events) == (2 if flaw == "two_events" else 1)
            assert content.get("reason") == {"no_reason": None, "bulk_account": "bulk-account"}.get(flaw, "hijacking")
            assert (content["subject"]["sub"] == "1") == (flaw == "unknown_user")
            assert ("invalid" in content["subject"]["iss"]) == (flaw == "other_subject_issuer")
            assert (content["subject"]["subject_type"] == "id_token_claims") == (flaw == "id_token_claims")


def test_message_without_an_address_is_refused(sandbox):
    for body in ({"event": "verification", "person": "gmail"}, {"event": "never", "person": "gmail"}):
        assert sandbox.api("POST", "google/messages/send", body).status_code == 400
    assert sandbox.control("GET", "messages", query_string={"wait": "1"}) == []
