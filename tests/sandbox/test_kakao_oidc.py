"""Discovery, keys, id_tokens and what reads them back."""

import base64
import json

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from support.sandbox import EVERY_ITEM, SETTINGS, START, Sandbox, koe


def keys(sandbox):
    return KeySet.import_key_set(sandbox.server.get("/.well-known/jwks.json").json)


def claims(sandbox, tokens):
    return jwt.decode(tokens["id_token"], keys(sandbox), algorithms=["RS256"]).claims


def test_discovery_names_this_server(sandbox):
    answer = sandbox.server.get("/.well-known/openid-configuration")
    assert answer.content_type == "application/json;charset=UTF-8"
    body = answer.json
    assert body["issuer"] == "http://127.0.0.1:8001"
    assert body["jwks_uri"] == "http://127.0.0.1:8001/.well-known/jwks.json"
    assert body["code_challenge_methods_supported"] == ["S256"]
    assert body["token_endpoint_auth_methods_supported"] == ["client_secret_post"]
    assert body["id_token_signing_alg_values_supported"] == ["RS256"]
    assert "scopes_supported" not in body


def test_two_public_rsa_keys_and_nothing_private(sandbox):
    published = sandbox.server.get("/.well-known/jwks.json").json["keys"]
    assert len({key["kid"] for key in published}) == 2
    for key in published:
        assert set(key) == {"kid", "kty", "alg", "use", "n", "e"}
        assert (key["kty"], key["alg"], key["use"], key["e"], len(key["kid"])) == ("RSA", "RS256", "sig", "AQAB", 30)


def test_id_token_of_a_full_consent(sandbox):
    tokens = sandbox.tokens("haneul", nonce="n-1")
    assert claims(sandbox, tokens) == {
        "iss": "http://127.0.0.1:8001",
        "aud": SETTINGS.client_id,
        "sub": "3902187701",
        "auth_time": int(START),
        "iat": int(START),
        "exp": int(START) + 21599,
        "nonce": "n-1",
        "nickname": "하늘다람쥐",
        "picture": claims(sandbox, tokens)["picture"],
        "email": "haneul@example.kr",
    }
    assert claims(sandbox, tokens)["picture"].startswith("http://")
    header = json.loads(base64.urlsafe_b64decode(tokens["id_token"].split(".")[0] + "=="))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": keys(sandbox).keys[0].kid}


def test_nonce_only_if_sent(sandbox):
    assert "nonce" not in claims(sandbox, sandbox.tokens())


@pytest.mark.parametrize("person", ["noemail", "unverified", "invalid"])
def test_id_token_holds_no_untrusted_email(sandbox, person):
    assert "email" not in claims(sandbox, sandbox.tokens(person))


def test_id_token_holds_only_what_was_agreed(sandbox):
    given = claims(sandbox, sandbox.tokens(items=()))
    assert "email" not in given
    assert "picture" not in given
    assert given["nickname"]


def test_19_digit_subject_is_text(sandbox):
    assert claims(sandbox, sandbox.tokens("bigid"))["sub"] == "1376016924429759228"


def test_auth_time_is_the_login_not_the_code(sandbox):
    sandbox.log_in()
    sandbox.clock.advance(100)
    given = claims(sandbox, sandbox.tokens())
    assert (given["auth_time"], given["iat"]) == (int(START), int(START) + 100)


def test_refreshed_id_token_keeps_auth_time_and_drops_the_nonce(sandbox):
    first = sandbox.tokens(nonce="n-1")
    sandbox.clock.advance(50)
    given = claims(sandbox, sandbox.refresh(first["refresh_token"]).json)
    assert (given["auth_time"], given["iat"]) == (int(START), int(START) + 50)
    assert "nonce" not in given


def test_signature_of_another_sandbox_does_not_pass(sandbox):
    other = KeySet([RSAKey.generate_key(2048, {"kid": keys(sandbox).keys[0].kid})])
    with pytest.raises(JoseError):
        jwt.decode(sandbox.tokens()["id_token"], other, algorithms=["RS256"])


def test_userinfo():
    sandbox = Sandbox(consent_items=EVERY_ITEM)
    body = sandbox.call("GET", "/v1/oidc/userinfo", sandbox.tokens()["access_token"]).json
    assert body.pop("picture").startswith("http://")
    assert body == {
        "sub": "3902187701",
        "nickname": "하늘다람쥐",
        "name": "김하늘",
        "email": "haneul@example.kr",
        "email_verified": True,
        "gender": "female",
        "birthdate": "1999-07-14",
        "phone_number": "+82 10-0000-1234",
        "phone_number_verified": True,
    }


@pytest.mark.parametrize(("items", "birthdate"), [(("birthyear",), "1999"), (("birthday",), "0000-07-14"), ((), None)])
def test_birthdate_in_userinfo(items, birthdate):
    sandbox = Sandbox(consent_items=EVERY_ITEM)
    token = sandbox.tokens(items=items)["access_token"]
    assert sandbox.call("GET", "/v1/oidc/userinfo", token).json.get("birthdate") == birthdate


@pytest.mark.parametrize("person", ["unverified", "invalid"])
def test_userinfo_marks_an_untrusted_email(sandbox, person):
    token = sandbox.tokens(person)["access_token"]
    assert sandbox.call("GET", "/v1/oidc/userinfo", token).json["email_verified"] is False


def test_userinfo_is_for_bearers_and_for_openid_connect(sandbox):
    sandbox.tokens()
    assert sandbox.admin("GET", "/v1/oidc/userinfo", 3902187701).status_code == 401
    off = Sandbox(oidc=False)
    answer = off.call("GET", "/v1/oidc/userinfo", off.tokens()["access_token"])
    assert (answer.status_code, answer.json["code"]) == (403, -3)


def test_tokeninfo_returns_the_payload(sandbox):
    tokens = sandbox.tokens(nonce="n-1")
    answer = sandbox.server.post("/oauth/tokeninfo", data={"id_token": tokens["id_token"]})
    assert answer.json == claims(sandbox, tokens)


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_tokeninfo_refusals(sandbox):
    good = sandbox.tokens()["id_token"]
    head, payload, signature = good.split(".")
    foreign = f"{head}.{encoded({'iss': 'https://elsewhere.example'})}.{signature}"
    altered = f"{head}.{encoded(claims(sandbox, {'id_token': good}) | {'sub': '1'})}.{signature}"
    unsigned = f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}."
    unknown_key = f"{encoded({'alg': 'RS256', 'kid': 'x'})}.{payload}.{signature}"
    cases = {
        "": "KOE400",
        "a.b": "KOE400",
        "a.b.c": "KOE400",
        f"{head}.{encoded([1])}.x": "KOE400",
        foreign: "KOE401",
        altered: "KOE402",
        unsigned: "KOE402",
        unknown_key: "KOE402",
    }
    for token, code in cases.items():
        answer = sandbox.server.post("/oauth/tokeninfo", data={"id_token": token})
        assert (answer.status_code, answer.json["error"], koe(answer)) == (400, "invalid_token", code), token
    sandbox.clock.advance(21599)
    assert koe(sandbox.server.post("/oauth/tokeninfo", data={"id_token": good})) == "KOE403"
