"""The sandbox's Naver."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from support.accounts import CHALLENGE, ORIGIN, VERIFIER, AccountSandbox, came_back, error_of
from support.sandbox import page_of, receiver

from kakaoauth.sandbox.naver.messages import FLAWS

OLD, NEW = "/oauth2.0", "/oauth2"


class NaverSandbox(AccountSandbox):
    provider = "naver"

    def authorize(self, family=OLD, headers=None, **query):
        given = {"client_id": self.app_settings.client_id, "redirect_uri": self.callback, "response_type": "code"}
        given |= {"state": "s 1"} | ({"scope": "openid"} if family == NEW else {})
        return self.begin(f"{family}/authorize", given | query, headers=headers)

    def code(self, person="boram", items=("nickname", "profile_image"), family=OLD, **query):
        return came_back(self.walk(self.authorize(family, **query), person, *items), self.callback)["code"]

    def exchange(self, code, family=OLD, **form):
        settings = self.app_settings
        given = {"client_id": settings.client_id, "client_secret": settings.client_secret, "code": code}
        given |= {"grant_type": "authorization_code", "state": "s 1"}
        return self.post(f"{family}/token", **(given | form))

    def tokens(self, person="boram", family=OLD, **more):
        answer = self.exchange(self.code(person, family=family, **more), family)
        assert "error" not in answer.json, answer.text
        return answer.json

    def me(self, token):
        return self.server.get("/naver/v1/nid/me", headers={"Authorization": f"Bearer {token}"})

    def revoke(self, token, **form):
        settings = self.app_settings
        given = {"client_id": settings.client_id, "client_secret": settings.client_secret, "token": token}
        return self.post("/oauth2.0/revoke", **(given | form))


KIND = NaverSandbox


def test_login_leads_through_chooser_and_consent_to_the_site(sandbox):
    chooser = sandbox.authorize()
    assert page_of(chooser) == "account_chooser"
    consent = sandbox.be(chooser, "boram")
    assert 'value="email" checked disabled' in consent.text
    assert 'value="nickname" checked>' in consent.text
    values = came_back(sandbox.decide(consent, "nickname"), sandbox.callback)
    assert values["state"] == "s 1"
    tokens = sandbox.exchange(values["code"]).json
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == "3600"
    assert "id_token" not in tokens
    assert set("+/=") & set(tokens["access_token"])
    body = sandbox.me(tokens["access_token"]).json
    assert (body["resultcode"], body["message"]) == ("00", "success")
    assert body["response"] == {
        "id": sandbox.state.accounts["naver"].people["boram"].subject,
        "name": "윤보람",
        "email": "boram@example.com",
        "nickname": "보람",
    }


def test_second_login_sees_no_page_until_items_are_asked_for_again(sandbox):
    sandbox.code(items=())
    assert came_back(sandbox.authorize(), sandbox.callback)["code"]
    again = sandbox.authorize(auth_type="reprompt")
    assert page_of(again) == "account_consent"
    assert 'value="nickname"' in again.text
    assert 'value="email"' not in again.text
    assert page_of(sandbox.authorize(auth_type="reauthenticate")) == "account_chooser"


def test_cancel_returns_with_access_denied(sandbox):
    answer = sandbox.decide(sandbox.be(sandbox.authorize(), "boram"), decision="cancel")
    assert came_back(answer, sandbox.callback)["error"] == "access_denied"
    assert not sandbox.state.accounts["naver"].consents


def test_double_click_on_the_consent_gets_the_same_answer(sandbox):
    consent = sandbox.be(sandbox.authorize(), "boram")
    first = sandbox.decide(consent)
    assert sandbox.decide(consent).location == first.location
    sandbox.clock.advance(6)
    assert error_of(sandbox.decide(consent)) == "over"


def test_somebody_elses_login_can_not_be_answered(sandbox):
    consent = sandbox.be(sandbox.authorize(), "boram")
    sandbox.browser = sandbox.app.test_client()
    assert error_of(sandbox.decide(consent)) == "over"


@pytest.mark.parametrize(
    ("family", "query", "error"),
    [
        (OLD, {"client_id": "nobody"}, "naver_client"),
        (OLD, {"redirect_uri": "http://localhost:8000/naver/login/callback"}, "naver_redirect"),
        (OLD, {"response_type": "token"}, "invalid_request"),
        (OLD, {"state": None}, "invalid_request"),
        (NEW, {"scope": "profile"}, "invalid_scope"),
        (NEW, {"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_wrong_request_ends_on_a_page(sandbox, family, query, error):
    assert error_of(sandbox.authorize(family, **query)) == error


def test_before_the_review_only_testers_get_in(sandbox):
    sandbox.control("POST", "app", {"reviewed": False, "testers": ["haneul"]})
    assert error_of(sandbox.be(sandbox.authorize(), "boram")) == "naver_tester"
    sandbox.browser = sandbox.app.test_client()
    assert sandbox.code("haneul")


@pytest.mark.parametrize(
    ("agent", "logged_in", "words"),
    [
        ("Mozilla/5.0", True, "unsupported browser environment."),
        ("NAVER(inapp; search; 1)", False, "user not logged in."),
        ("NAVER(inapp; search; 1)", True, "need user consent."),
    ],
)
def test_silent_login_fails_in_words_only(sandbox, agent, logged_in, words):
    if logged_in:
        sandbox.be(sandbox.authorize(), "boram")
    answer = sandbox.authorize(auth_type="autologin", headers={"User-Agent": agent})
    assert came_back(answer, sandbox.callback) == {
        "state": "s 1",
        "error": "access_denied",
        "error_description": words,
    }


# Tokens


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong"}, "unauthorized_client"),
        ({"client_id": "wrong"}, "unauthorized_client"),
        ({"state": None}, "invalid_request"),
        ({"state": "other"}, "invalid_request"),
        ({"code": "never-was"}, "invalid_request"),
        ({"grant_type": "password"}, "invalid_request"),
    ],
)
def test_older_address_refuses_with_status_200(sandbox, form, error):
    answer = sandbox.exchange(**({"code": sandbox.code()} | form))
    assert (answer.status_code, answer.json["error"]) == (200, error)


def test_code_works_once_and_ends(sandbox):
    code = sandbox.code()
    assert "access_token" in sandbox.exchange(code).json
    spent = sandbox.exchange(code)
    assert spent.status_code == 200
    assert spent.json == {"error": "invalid_request", "error_description": "no valid data in session"}
    code = sandbox.code()
    sandbox.clock.advance(601)
    assert sandbox.exchange(code).json["error"] == "invalid_request"


def test_older_address_ignores_pkce_and_takes_a_get(sandbox):
    code = sandbox.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    settings = sandbox.app_settings
    query = {"client_id": settings.client_id, "client_secret": settings.client_secret, "code": code}
    query |= {"grant_type": "authorization_code", "state": "s 1"}
    assert "access_token" in sandbox.server.get("/naver/oauth2.0/token", query_string=query).json
    assert sandbox.server.get("/naver/oauth2/token", query_string=query).status_code == 405


def test_openid_connect_checks_the_verifier_and_answers_with_an_id_token(sandbox):
    query = {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "nonce": "n-1"}
    for verifier in (None, "w" * 43):
        answer = sandbox.exchange(sandbox.code(family=NEW, **query), NEW, code_verifier=verifier)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    answer = sandbox.exchange(sandbox.code(family=NEW, **query), NEW, code_verifier=VERIFIER)
    claims = sandbox.claims(answer.json["id_token"])
    assert set(claims) == {"iss", "aud", "azp", "sub", "jti", "iat", "exp", "at_hash", "nonce"}
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (
        f"{ORIGIN}/naver",
        sandbox.app_settings.client_id,
        "n-1",
    )
    assert claims["sub"] == sandbox.me(answer.json["access_token"]).json["response"]["id"]
    sandbox.change(own_sub=True)
    assert sandbox.claims(sandbox.tokens(family=NEW)["id_token"])["sub"] != claims["sub"]


def test_openid_connect_refuses_a_wrong_secret_with_401_and_an_older_code(sandbox):
    assert sandbox.exchange(sandbox.code(family=NEW), NEW, client_secret="wrong").status_code == 401
    assert sandbox.exchange(sandbox.code(), NEW).status_code == 400


def test_discovery_is_as_it_was_seen(sandbox):
    body = sandbox.server.get("/naver/.well-known/openid-configuration").json
    assert body["issuer"] == f"{ORIGIN}/naver"
    assert body["userinfo_endpoint"].endswith("/v1/nid/me")
    assert not {"end_session_endpoint", "revocation_endpoint"} & set(body)
    assert sandbox.server.get("/naver/oauth2/jwks").json["keys"]


def test_refresh_brings_no_new_refresh_token(sandbox):
    tokens = sandbox.tokens()
    settings = sandbox.app_settings
    form = {"client_id": settings.client_id, "client_secret": settings.client_secret, "grant_type": "refresh_token"}
    sandbox.clock.advance(3601)
    assert sandbox.me(tokens["access_token"]).status_code == 401
    body = sandbox.post("/oauth2.0/token", refresh_token=tokens["refresh_token"], **form).json
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert sandbox.me(body["access_token"]).status_code == 200
    refused = sandbox.post("/oauth2.0/token", refresh_token="never-was", **form)
    assert (refused.status_code, refused.json["error"]) == (200, "invalid_request")


# The profile


def test_profile_refuses_as_naver_does(sandbox):
    bare = sandbox.server.get("/naver/v1/nid/me")
    assert (bare.status_code, bare.json["resultcode"]) == (401, "028")
    wrong = sandbox.me("never-was")
    assert (wrong.status_code, wrong.json["resultcode"]) == (401, "024")
    token = sandbox.tokens()["access_token"]
    sandbox.change(login_enabled=False)
    assert (sandbox.me(token).status_code, sandbox.me(token).json["resultcode"]) == (403, "403")


def test_picture_is_the_sandboxs_own_where_it_has_some(sandbox):
    token = sandbox.tokens()["access_token"]
    assert sandbox.me(token).json["response"]["profile_image"].startswith("https://phinf.pstatic.net/")
    sandbox.state.change_settings(picture_base=None)
    picture = sandbox.me(token).json["response"]["profile_image"]
    assert sandbox.browser.get(picture.removeprefix(ORIGIN)).content_type == "image/svg+xml"


def test_profile_has_what_there_is_and_what_was_given(sandbox):
    noemail = sandbox.me(sandbox.tokens("noemail")["access_token"]).json["response"]
    assert "email" not in noemail
    assert "profile_image" not in noemail
    sandbox.browser = sandbox.app.test_client()
    sandbox.control("POST", "app", {"items": {"mobile": "required", "name": "optional"}})
    person = sandbox.me(sandbox.tokens("haneul", items=())["access_token"]).json["response"]
    assert set(person) == {"id", "mobile", "mobile_e164"}
    assert person["mobile_e164"] == "+821000001234"


def test_old_app_has_numbers_for_ids(sandbox):
    assert sandbox.me(sandbox.tokens("oldid")["access_token"]).json["response"]["id"] == "3902187701"


def test_verify_says_what_is_allowed_but_not_for_which_app(sandbox):
    token = sandbox.tokens(items=())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    body = sandbox.server.get("/naver/v1/nid/verify?info=true", headers=headers).json
    assert body["response"]["allowed_profile"] == "name,email"
    assert "client_id" not in body["response"]


def test_token_of_another_app_names_the_person_by_another_id(sandbox):
    token = sandbox.control("POST", "tokens", {"person": "boram"})["access_token"]
    own = sandbox.state.accounts["naver"].people["boram"].subject
    assert sandbox.me(token).json["response"]["id"] != own
    assert sandbox.me(token).json["response"]["email"] == "boram@example.com"


# The end of a link


def test_revoke_ends_the_pair_and_is_silent_about_unknown_tokens(sandbox):
    tokens = sandbox.tokens()
    assert sandbox.revoke(tokens["access_token"], client_secret="wrong").status_code == 401
    assert sandbox.revoke(None).status_code == 400
    for token in ("never-was", tokens["refresh_token"], tokens["refresh_token"]):
        answer = sandbox.revoke(token)
        assert (answer.status_code, answer.data) == (200, b"")
    assert sandbox.me(tokens["access_token"]).status_code == 401
    assert page_of(sandbox.authorize()) == "account_consent"


def test_older_way_to_unlink_needs_a_living_token(sandbox):
    tokens, settings = sandbox.tokens(), sandbox.app_settings
    form = {"client_id": settings.client_id, "client_secret": settings.client_secret, "grant_type": "delete"}
    assert sandbox.post("/oauth2.0/token", access_token="x", **form).json["error"] == "invalid_request"
    body = sandbox.post("/oauth2.0/token", access_token=tokens["access_token"], **form).json
    assert body == {"access_token": tokens["access_token"], "result": "success"}
    assert not sandbox.state.accounts["naver"].consents


def read_message(request, secret):
    """Read it as a receiver does that believes nothing."""
    method, path, headers, body = request
    assert method == "POST"
    fields = {name: values[0] for name, values in parse_qs(body.decode() or urlsplit(path).query).items()}
    key = hashlib.md5(secret.encode()).digest()
    text = "&".join(f"{name}={fields[name]}" for name in ("clientId", "encryptUniqueId", "timestamp"))
    expected = base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).rstrip(b"=").decode()
    if fields.get("signature") != expected:
        raise ValueError("signature")
    content = base64.urlsafe_b64decode(fields["encryptUniqueId"] + "==")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(content[:16])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    padded = decryptor.update(content[16:]) + decryptor.finalize()
    subject = unpadder.update(padded) + unpadder.finalize()
    return fields | {"subject": subject.decode(), "type": headers["Content-Type"]}


def test_person_who_leaves_is_told_of_in_cipher(sandbox):
    with receiver() as hook:
        hook.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        sandbox.control("POST", "app", {"disconnect_url": hook.url})
        tokens = sandbox.tokens()
        [sent] = sandbox.control("POST", "people/boram/remove", {"wait": True})
        assert (sent["name"], sent["status"]) == ("disconnect", 204)
        message = read_message(hook.requests[-1], sandbox.app_settings.client_secret)
        assert message["subject"] == sandbox.state.accounts["naver"].people["boram"].subject
        assert message["clientId"] == sandbox.app_settings.client_id
        assert int(message["timestamp"]) == int(sandbox.clock.now())
        assert message["type"].startswith("application/x-www-form-urlencoded")
        assert sandbox.me(tokens["access_token"]).status_code == 401
        assert sandbox.control("POST", "people/boram/remove", {"wait": True}) == []


def test_account_that_is_deleted_does_not_come_back(sandbox):
    sandbox.code()
    assert sandbox.control("DELETE", "people/boram") == []
    sandbox.browser = sandbox.app.test_client()
    assert 'value="boram"' not in sandbox.authorize().text
    sandbox.api("POST", "reset")
    assert "boram" in sandbox.state.accounts["naver"].people


@pytest.mark.parametrize("flaw", FLAWS)
def test_sample_has_the_flaw_that_was_asked_for(sandbox, flaw):
    secret = sandbox.app_settings.client_secret
    with receiver() as hook:
        sandbox.change(disconnect_url=hook.url)
        body = {"event": "disconnect", "person": "boram", "flaws": [flaw], "wait": True}
        assert sandbox.control("POST", "messages/send", body)[0]["flaws"] == [flaw]
        request = hook.requests[0]
        if flaw in ("bad_signature", "other_secret", "no_signature"):
            with pytest.raises(ValueError, match="signature"):
                read_message(request, secret)
        elif flaw in ("broken_base64", "not_decryptable"):
            with pytest.raises(ValueError):
                read_message(request, secret)
        elif flaw == "no_user":
            assert b"encryptUniqueId" not in request[3]
        else:
            message = read_message(request, secret)
            assert (message["clientId"] == sandbox.app_settings.client_id) == (flaw != "wrong_app")
            late = int(message["timestamp"]) - int(sandbox.clock.now())
            assert late == {"iat_past": -30 * 86400, "iat_future": 86400}.get(flaw, 0)
            known = sandbox.state.accounts["naver"].find_person(message["subject"])
            assert (known is None) == (flaw == "unknown_user")
            assert ("?" in request[1]) == (flaw == "in_query")
            assert len(hook.requests) == (2 if flaw == "duplicate" else 1)


# Without a browser


def test_app_logs_in_without_a_page(sandbox):
    body = sandbox.control("POST", "people/boram/log-in", {"without": ["email"]})
    assert "id_token" not in body
    assert "email" not in sandbox.me(body["access_token"]).json["response"]
    code = sandbox.control("POST", "people/boram/log-in", {"redirect_uri": sandbox.callback, "state": "s 1"})["code"]
    assert "access_token" in sandbox.exchange(code).json
    body = sandbox.control("POST", "people/haneul/log-in", {"oidc": True, "nonce": "n"})
    assert sandbox.claims(body["id_token"])["nonce"] == "n"
    odd = sandbox.api("POST", "naver/people/boram/log-in", {"redirect_uri": "https://evil.example/"})
    assert odd.status_code == 400
    assert sandbox.api("POST", "naver/people/nobody/log-in", {}).status_code == 400
