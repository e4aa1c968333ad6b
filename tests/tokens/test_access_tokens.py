"""Our access tokens: what stands in one, what passes for one, and the keys that sign them."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from support import FakeKakao, api_client, base64url, new_user, problem, tokens_of

from kakaoauth.accounts import roles
from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.tokens import signing_keys
from kakaoauth.tokens.flows import TokenPair
from kakaoauth.tokens.signing_keys import SigningKey

ALGORITHMS = ("HS256", "RS256", "ES256")
ISSUER = "http://localhost:8000"
MAKERS: dict[str, Callable[[], Any]] = {
    "HS256": lambda: OctKey.generate_key(256),
    "RS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
}

MakeApp = Callable[..., Flask]
People = dict[str, int]


def me(app: Flask, access_token: str) -> Any:
    return api_client(app, access_token).get("/api/users/me/")


def verify(app: Flask, token: str) -> Any:
    return app.test_client().post("/api/token/verify/", json={"token": token})


def refuse(app: Flask, token: str, code: str = "INVALID_ACCESS_TOKEN") -> None:
    """Nowhere, and nobody is told why."""
    bodies = []
    for answer in (me(app, token), verify(app, token)):
        body = problem(answer, 401, code)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
        del body["instance"]
        bodies.append(body)
    assert [sorted(body) for body in bodies] == [["code", "detail", "status", "title", "type"]] * 2
    assert bodies[0] == bodies[1]


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


class Smith:
    """Somebody who holds a genuine token, and, for the tests of its claims, even the key."""

    def __init__(self, app: Flask, token: str) -> None:
        self.token = token
        self.header, self.claims = part(token, 0), part(token, 1)
        with app.app_context():
            row = db.session.get(SigningKey, self.header["kid"])
            assert row
            key = signing_keys.key_of(row)
        assert key
        self.key = key

    def sign(self, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A value of None leaves a claim or a member of the header out."""
        head = {name: value for name, value in {**self.header, **(header or {})}.items() if value is not None}
        body = {name: value for name, value in {**self.claims, **claims}.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
        return jws.serialize_compact(head, json.dumps(body), key or self.key, registry=registry)

    def raw(self, header: Any, claims: Any, signature: bytes | None = None) -> str:
        """Anything at all, signed with HMAC and the real key unless a signature is given."""
        text = ".".join(base64url(value if isinstance(value, bytes) else json.dumps(value).encode())
                        for value in (header, claims))  # fmt: skip
        if signature is None:
            assert isinstance(self.key, OctKey)
            signature = hmac.digest(self.key.raw_value, text.encode(), "sha256")
        return f"{text}.{base64url(signature)}"


@pytest.fixture
def smith(app: Flask, pair: TokenPair) -> Smith:
    return Smith(app, pair.access_token)


def only_changed(claims: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


# A genuine one


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_says_who_until_when_and_for_whom(make_app: MakeApp, algorithm: str) -> None:
    app = make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM=algorithm, PUBLIC_URL="https://login.example.kr")
    user_id = new_user(app, "a@example.kr")
    first, second = (tokens_of(app, user_id).access_token for _ in range(2))
    assert sorted(part(first, 0)) == ["alg", "kid", "typ"]
    assert (part(first, 0)["alg"], part(first, 0)["typ"]) == (algorithm, "at+jwt")
    claims = part(first, 1)
    assert abs(claims["iat"] - time.time()) < 5
    assert claims["exp"] == claims["iat"] + 300
    assert claims["iss"] == "https://login.example.kr"
    assert claims["aud"] == "https://login.example.kr/api/"
    assert (claims["sub"], claims["token_use"]) == (str(user_id), "access")
    assert sorted(claims) == ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "token_use"]
    assert claims["jti"] != part(second, 1)["jti"]
    assert me(app, first).get_json()["id"] == user_id


def test_token_lives_as_long_as_it_says_and_no_longer(app: Flask, people: People) -> None:
    now = int(time.time())
    with time_machine.travel(now, tick=False):
        token = tokens_of(app, people["minji"]).access_token
    with time_machine.travel(now + 299, tick=False):
        assert me(app, token).status_code == 200
    for later in (300, 301, 86400):
        with time_machine.travel(now + later, tick=False):
            refuse(app, token, "EXPIRED_TOKEN")


def test_call_with_a_token_costs_two_statements(
    app: Flask, people: People, count_statements: Callable[[Callable[[], Any]], int]
) -> None:
    client = api_client(app, tokens_of(app, people["sora"]).access_token)
    assert count_statements(lambda: client.get("/api/users/me/")) == 2
    assert count_statements(lambda: client.get("/api/users/")) == 3
    assert count_statements(lambda: app.test_client().get("/api/users/me/")) == 0


def test_call_with_a_token_does_not_touch_sessions(app: Flask, pair: TokenPair, redis: Any) -> None:
    redis.flushall()
    answer = me(app, pair.access_token)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert redis.keys() == []


# How it is brought


def with_header(app: Flask, pair: TokenPair, header: str) -> Any:
    text = header.format(token=pair.access_token)
    return app.test_client().get("/api/users/me/", headers={"Authorization": text})


def test_name_of_the_scheme_may_be_written_in_any_case(app: Flask, pair: TokenPair) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert with_header(app, pair, f"{scheme} {{token}}").status_code == 200


def test_without_a_token_one_is_asked_for(app: Flask, pair: TokenPair) -> None:
    headers = ("", "Bearer", "Bearer ", "Basic bWluamk6eA==", "{token}", "Token {token}")
    answers = [app.test_client().get("/api/users/me/"), *(with_header(app, pair, header) for header in headers)]
    for answer in answers:
        problem(answer, 401, "INVALID_ACCESS_TOKEN")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"', "RFC 6750, section 3: no error code"


def test_header_that_is_not_exactly_one_token_is_refused(app: Flask, pair: TokenPair) -> None:
    for rest in ("  {token}", " {token} ", " {token},Bearer {token}", " {token}\t", ' "{token}"'):
        problem(with_header(app, pair, f"Bearer{rest}"), 401, "INVALID_ACCESS_TOKEN")


def test_token_in_the_address_or_a_form_is_not_looked_at(app: Flask, pair: TokenPair) -> None:
    client = app.test_client()
    for name in ("access_token", "token", "jwt", "Authorization", "bearer"):
        found = {name: pair.access_token}
        problem(client.get("/api/users/me/", query_string=found), 401, "INVALID_ACCESS_TOKEN")
        problem(client.patch("/api/users/me/", data=found), 401, "INVALID_ACCESS_TOKEN")


def test_token_opens_no_page(app: Flask, people: People) -> None:
    """Each address trusts one kind of token."""
    client = api_client(app, tokens_of(app, people["hana"]).access_token)
    for page in ("/users/me/", "/users/"):
        assert client.get(page).status_code == 302


def test_session_opens_no_api(client_as: Callable[[str], FlaskClient]) -> None:
    client = client_as("hana")
    assert client.get("/users/").status_code == 200
    problem(client.get("/api/users/"), 401, "INVALID_ACCESS_TOKEN")


# What passes for one


NONE = {"alg": "none", "typ": "at+jwt"}

#: What somebody without the key can make.
FORGERIES: dict[str, Callable[[Smith], str]] = {
    "alg none, no signature": lambda it: it.raw(NONE, it.claims, b""),
    "alg none with kid": lambda it: it.raw({**it.header, "alg": "none"}, it.claims, b""),
    "alg none, odd case": lambda it: it.raw({**it.header, "alg": "nOnE"}, it.claims, b"x"),
    "alg none, old signature": lambda it: it.raw({**it.header, "alg": "none"}, it.claims, b"x" * 32),
    "no signature": lambda it: it.token.rpartition(".")[0] + ".",
    "two parts": lambda it: it.token.rpartition(".")[0],
    "four parts": lambda it: it.token + ".x",
    "five parts": lambda it: it.token + ".x.y",
    "a changed signature": lambda it: it.token[:-4] + ("AAAA" if it.token[-4:] != "AAAA" else "BBBB"),
    "a cut signature": lambda it: it.token[:-10],
    "a longer signature": lambda it: it.token + "A",
    "another key": lambda it: it.sign(OctKey.generate_key(256)),
    "a key of zeros": lambda it: it.sign(OctKey.import_key(b"\0" * 32)),
    "the settings' secret": lambda it: it.sign(OctKey.import_key("a secret for tests, of more than 32 characters")),
    "the key id as key": lambda it: it.sign(OctKey.import_key(it.header["kid"].ljust(32, "=").encode())),
    "a key of its own in the header": lambda it: it.sign(
        OctKey.import_key(b"k" * 32), {"jwk": OctKey.import_key(b"k" * 32).as_dict()}
    ),
    "an unknown key id": lambda it: it.sign(header={"kid": "AAAAAAAAAAAAAAAA"}),
    "no key id": lambda it: it.sign(header={"kid": None}),
    "a key id with a NUL": lambda it: it.raw({**it.header, "kid": it.header["kid"] + "\0"}, it.claims),
    "a key id of odd letters": lambda it: it.raw({**it.header, "kid": "' OR 1=1 --"}, it.claims),
    "a key id of lone surrogates": lambda it: it.raw({**it.header, "kid": "\ud800"}, it.claims),
    "a long key id": lambda it: it.raw({**it.header, "kid": "k" * 500}, it.claims),
    "a number as key id": lambda it: it.raw({**it.header, "kid": 1}, it.claims),
    "a list as key id": lambda it: it.raw({**it.header, "kid": [it.header["kid"]]}, it.claims),
    "claims changed after signing": lambda it: swapped(it, sub="1"),
    "a role added after signing": lambda it: swapped(it, is_superuser=True),
    "a longer life after signing": lambda it: swapped(it, exp=2**31),
}


def swapped(smith: Smith, **changes: Any) -> str:
    head, _, signature = smith.token.split(".")
    return f"{head}.{base64url(json.dumps({**smith.claims, **changes}).encode())}.{signature}"


def test_forged_token_is_refused(app: Flask, smith: Smith, subtests: pytest.Subtests) -> None:
    for how, forge in FORGERIES.items():
        with subtests.test(how):
            refuse(app, forge(smith))
    assert me(app, smith.token).status_code == 200


def test_text_that_is_no_token_is_refused(app: Flask) -> None:
    for text in ("x", "..", ".", "a.b.c", "null", "e30.e30.e30", "A" * 4096, ".".join(["A" * 1300] * 3), "é.a.b"):
        problem(me(app, text), 401, "INVALID_ACCESS_TOKEN")


def test_parts_that_are_no_json_objects_are_refused(app: Flask, smith: Smith) -> None:
    for odd in (b"null", b"[]", b"1", b'"text"', b"{", b"\xff", b"[" * 700, b'{"alg":"HS256","alg":"none"}', b"{}"):
        refuse(app, smith.raw(odd, smith.claims))
        refuse(app, smith.raw(smith.header, odd))


def test_key_id_that_the_database_cannot_hold_is_no_fault_of_ours(make_app: MakeApp, postgres_url: str) -> None:
    """PostgreSQL refuses text with NUL."""
    app = make_app(DATABASE_URL=postgres_url)
    user_id = new_user(app, "a@example.kr")
    smith = Smith(app, tokens_of(app, user_id).access_token)
    for how in ("a key id with a NUL", "a key id of lone surrogates", "a key id of odd letters", "a long key id"):
        refuse(app, FORGERIES[how](smith))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_public_key_is_no_shared_secret(make_app: MakeApp, algorithm: str) -> None:
    app = make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM=algorithm)
    user_id = new_user(app, "a@example.kr")
    smith = Smith(app, tokens_of(app, user_id).access_token)
    assert not isinstance(smith.key, OctKey)
    (published,) = app.test_client().get("/.well-known/jwks.json").get_json()["keys"]
    secrets = [smith.key.as_pem(private=False), smith.key.as_der(private=False), json.dumps(published).encode()]
    secrets += [smith.key.as_pem(private=False).strip(), published["kid"].encode()]
    for secret in secrets:
        for header in ({"alg": "HS256"}, {"alg": algorithm}):
            text = smith.raw({**smith.header, **header}, smith.claims, b"").rstrip(".")
            refuse(app, f"{text}.{base64url(hmac.digest(secret, text.encode(), 'sha256'))}")
    # And the other way: a key of one kind signs nothing of another.
    for other, make in MAKERS.items():
        refuse(app, smith.sign(make(), {"alg": other}))
    assert me(app, smith.token).status_code == 200


def test_algorithm_is_the_keys_not_the_tokens(app: Flask, smith: Smith) -> None:
    for algorithm in ("HS384", "HS512"):
        refuse(app, smith.sign(header={"alg": algorithm}))


def test_token_of_another_type_is_refused_whoever_signed_it(app: Flask, smith: Smith) -> None:
    for kind in (None, "JWT", "jwt", "at+JWT", "secevent+jwt", "rt+jwt", 1, ["at+jwt"]):
        refuse(app, smith.raw(only_changed(smith.header, typ=kind), smith.claims))


WRONG: dict[str, list[Any]] = {
    "iss": [None, "", 1, [ISSUER], f"{ISSUER}/", "https://kauth.kakao.com", "HTTP://LOCALHOST:8000"],
    "aud": [None, "", 1, [f"{ISSUER}/api/"], ISSUER, "https://front.example.kr/api/", {}],
    "sub": [None, "", 1, "0", "-1", "01", "1.0", "1 ", "１", "1" * 20, "9" * 19, "minji@example.kr", ["1"], True],
    "sid": [None, "", 1, "0", "-1", "x", "9" * 19, "9" * 30, [], {}],
    "jti": [None, "", 1, [], True],
    "token_use": [None, "", "refresh", "id", 1, ["access"]],
    "exp": [None, "2100000000", 2e9, True, [], {}, "never"],
    "iat": [None, "1", 1.5, True, [], 2**62],
    "nbf": ["1", [], {}, 2**62, "soon"],
}


def test_claim_that_is_missing_or_wrong_is_refused_even_if_signed(
    app: Flask, smith: Smith, subtests: pytest.Subtests
) -> None:
    for name, value in ((name, value) for name, values in WRONG.items() for value in values):
        with subtests.test(name, value=value):
            refuse(app, smith.raw(smith.header, only_changed(smith.claims, **{name: value})))
    assert me(app, smith.raw(smith.header, smith.claims)).status_code == 200, "it was the claim"


def test_claim_that_is_null_is_refused(app: Flask, smith: Smith) -> None:
    for name in smith.claims:
        refuse(app, smith.raw(smith.header, {**smith.claims, name: None}))


def test_token_from_the_future_is_refused(app: Flask, smith: Smith) -> None:
    now = int(time.time())
    for claims in ({"iat": now + 90}, {"nbf": now + 90}):
        refuse(app, smith.sign(**claims))
    assert me(app, smith.sign(iat=now + 20)).status_code == 200, "another worker's clock is a little ahead"


def test_token_of_one_person_is_not_for_another(app: Flask, people: People, smith: Smith) -> None:
    """A family belongs to one user, whatever a token says."""
    refuse(app, smith.sign(sub=str(people["hana"])))
    other = Smith(app, tokens_of(app, people["hana"]).access_token)
    refuse(app, smith.sign(sid=other.claims["sid"]))


def test_claim_about_rights_has_no_effect(app: Flask, smith: Smith) -> None:
    token = smith.sign(is_staff=True, is_superuser=True, role="superuser", scope="admin")
    assert me(app, token).get_json()["is_staff"] is False
    problem(api_client(app, token).get("/api/users/"), 403, "FORBIDDEN")


def test_rights_are_those_of_this_moment(app: Flask, people: People) -> None:
    client = api_client(app, tokens_of(app, people["sora"]).access_token)
    assert client.get("/api/users/").status_code == 200
    with app.app_context():
        roles.change_user(people["sora"], is_staff=False)
    problem(client.get("/api/users/"), 403, "FORBIDDEN")
    with app.app_context():
        roles.change_user(people["sora"], is_superuser=True)
    assert client.patch(f"/api/users/{people['minji']}/", json={"is_staff": True}).status_code == 200


# Other kinds of token


def test_refresh_token_opens_nothing(app: Flask, pair: TokenPair) -> None:
    refuse(app, pair.refresh_token)


def test_access_token_refreshes_nothing(app: Flask, pair: TokenPair) -> None:
    answer = app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.access_token})
    problem(answer, 401, "INVALID_ACCESS_TOKEN")
    assert me(app, pair.access_token).status_code == 200


def test_tokens_of_kakaos_open_nothing(app: Flask, people: People, kakao: FakeKakao) -> None:
    now = int(time.time())
    claims = {"iss": "https://kauth.kakao.com", "aud": "app", "sub": "1000", "iat": now, "exp": now + 300}
    for kind in ("JWT", "secevent+jwt", "at+jwt"):
        refuse(app, jwt.encode({"alg": "RS256", "kid": "test-key-1", "typ": kind}, claims, kakao.key))
    refuse(app, "canary-access-token")
    assert kakao.calls == [], "nobody is asked"


def test_token_of_another_site_is_refused(make_app: MakeApp, database_url: str) -> None:
    """The same keys, the same people, another address: staging must not open production."""
    one = make_app(PUBLIC_URL="https://login.example.kr", DATABASE_URL=database_url)
    other = make_app(PUBLIC_URL="https://staging.example.kr", DATABASE_URL=database_url)
    user_id = new_user(one, "a@example.kr")
    token = tokens_of(one, user_id).access_token
    assert me(one, token).status_code == 200
    refuse(other, token)


# Verify


def test_verify_says_what_the_token_says(app: Flask, people: People, pair: TokenPair) -> None:
    answer = verify(app, pair.access_token)
    assert answer.status_code == 200
    assert answer.get_json() == {"active": True, **part(pair.access_token, 1)}
    assert answer.headers["Cache-Control"] == "no-store"


def test_verify_tells_no_further_claim(app: Flask, smith: Smith) -> None:
    answer = verify(app, smith.sign(extra="x", nbf=1))
    assert answer.status_code == 200
    assert answer.get_json() == {"active": True, **smith.claims}


def test_verify_knows_of_a_suspension(app: Flask, people: People, pair: TokenPair) -> None:
    with app.app_context():
        roles.change_user(people["minji"], is_active=False)
    problem(verify(app, pair.access_token), 401, "INVALID_ACCESS_TOKEN")


def test_verify_needs_a_token(app: Flask) -> None:
    for body in ({}, {"token": ""}, {"token": None}, {"token": 1}, {"token": "a b"}, {"token": "é"}):
        found = problem(app.test_client().post("/api/token/verify/", json=body), 400, "INVALID_REQUEST")
        assert list(found["fields"]) == ["token"]


# Keys


def rotate(app: Flask, *options: str) -> str:
    result = app.test_cli_runner().invoke(args=["tokens", "rotate-keys", *options])
    assert result.exit_code == 0, result.output
    return str(result.output)


def key_rows(app: Flask) -> list[SigningKey]:
    with app.app_context():
        rows = list(db.session.scalars(db.select(SigningKey).order_by(SigningKey.created_at)))
        db.session.expunge_all()
        return rows


def test_old_tokens_stay_good_until_they_are_over(app: Flask, people: People) -> None:
    now = time.time()
    with time_machine.travel(now, tick=False):
        old = tokens_of(app, people["minji"])
        assert "stay good until they are over, 300 s at most" in rotate(app)
        new = tokens_of(app, people["minji"]).access_token
        assert part(new, 0)["kid"] != part(old.access_token, 0)["kid"]
        assert me(app, old.access_token).status_code == me(app, new).status_code == 200
    with time_machine.travel(now + 299, tick=False):
        assert me(app, old.access_token).status_code == 200
    with time_machine.travel(now + 400, tick=False):
        # The key is through now: nothing that is signed with it can be good.
        refuse(app, Smith(app, old.access_token).sign(iat=int(now + 400), exp=int(now + 700)))
        rotate(app)
        assert part(old.access_token, 0)["kid"] not in [row.kid for row in key_rows(app)]
        answer = app.test_client().post("/api/token/refresh/", json={"refresh_token": old.refresh_token})
        assert me(app, answer.get_json()["access_token"]).status_code == 200, "the login goes on"


def test_key_that_somebody_knows_verifies_nothing_at_once(app: Flask, people: People, pair: TokenPair) -> None:
    rotate(app)
    between = tokens_of(app, people["minji"]).access_token
    assert "are refused now" in rotate(app, "--at-once")
    refuse(app, pair.access_token)
    refuse(app, between)
    assert me(app, tokens_of(app, people["minji"]).access_token).status_code == 200
    assert app.test_client().post("/api/token/refresh/", json={"refresh_token": pair.refresh_token}).status_code == 200


def test_key_that_is_gone_verifies_nothing(app: Flask, pair: TokenPair) -> None:
    with app.app_context():
        db.session.execute(db.delete(SigningKey))
        db.session.commit()
    refuse(app, pair.access_token)


def test_rotation_is_written_down(app: Flask, pair: TokenPair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kakaoauth.audit")
    rotate(app, "--at-once")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "kakaoauth.audit"]
    assert "signing key rotated" in line
    assert key_rows(app)[-1].kid in line


def test_algorithm_can_be_changed_with_tokens_in_flight(make_app: MakeApp) -> None:
    apps = {algorithm: make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM=algorithm) for algorithm in ALGORITHMS}
    with apps["HS256"].app_context():
        user_id = User.objects.create_user("a@example.kr").id
        db.session.commit()
    tokens = {name: tokens_of(app, user_id).access_token for name, app in apps.items()}
    assert {name: part(token, 0)["alg"] for name, token in tokens.items()} == {name: name for name in ALGORITHMS}
    for app in apps.values():
        for token in tokens.values():
            assert me(app, token).status_code == 200
    again = tokens_of(apps["RS256"], user_id).access_token
    assert part(again, 0)["kid"] == part(tokens["RS256"], 0)["kid"], "a key is made once"
    # Rotating ends the keys of the algorithms that are not used any more as well.
    rotate(apps["ES256"], "--at-once")
    for token in tokens.values():
        refuse(apps["ES256"], token)


def test_changed_secret_refuses_old_tokens_and_signs_new_ones(make_app: MakeApp) -> None:
    before = make_app()
    user_id = new_user(before, "a@example.kr")
    old = tokens_of(before, user_id)
    after = make_app(SECRET_KEY="another secret for tests, also of more than 32 characters")
    refuse(after, old.access_token)
    answer = after.test_client().post("/api/token/refresh/", json={"refresh_token": old.refresh_token})
    problem(answer, 401, "INVALID_ACCESS_TOKEN")
    assert me(after, tokens_of(after, user_id).access_token).status_code == 200
    # Two workers with different secrets, as during a deployment, do not make a key each time.
    for app in (before, after, before, after):
        tokens_of(app, user_id)
    assert len(key_rows(after)) == 2


def test_secret_may_change_if_the_keys_are_encrypted_by_another(make_app: MakeApp) -> None:
    from_a_safe = "x" * 43 + "="
    before = make_app(KAKAOAUTH_TOKEN_KEYS=from_a_safe)
    user_id = new_user(before, "a@example.kr")
    old = tokens_of(before, user_id)
    after = make_app(
        KAKAOAUTH_TOKEN_KEYS=from_a_safe, SECRET_KEY="another secret for tests, also of more than 32 characters"
    )
    assert me(after, old.access_token).status_code == 200


def test_private_keys_are_stored_encrypted_only(make_app: MakeApp) -> None:
    for algorithm in ALGORITHMS:
        app = make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM=algorithm)
        rotate(app)
        rows = key_rows(app)
        assert rows
        for row in rows:
            assert row.sealed.startswith("gAAAA"), "Fernet"


# For services that verify by themselves


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_other_services_verify_with_the_published_keys(make_app: MakeApp, algorithm: str) -> None:
    app = make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM=algorithm, PUBLIC_URL="https://login.example.kr")
    user_id = new_user(app, "a@example.kr")
    old = tokens_of(app, user_id).access_token
    rotate(app)
    new = tokens_of(app, user_id).access_token
    answer = app.test_client().get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    published = answer.get_json()
    # As the library's own user would do it, who knows nothing of us.
    keys = KeySet.import_key_set(published)
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": "https://login.example.kr"},
        aud={"essential": True, "value": "https://login.example.kr/api/"},
        exp={"essential": True},
    )
    for token in (old, new):
        found = jwt.decode(token, keys, algorithms=[algorithm])
        claims.validate(found.claims)
        assert found.claims["sub"] == str(user_id)
    assert [key["kid"] for key in published["keys"]] == [part(new, 0)["kid"], part(old, 0)["kid"]], "the newest first"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_only_public_halves_are_published(make_app: MakeApp, algorithm: str) -> None:
    app = make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM=algorithm)
    rotate(app)
    public = {"RS256": {"kty", "n", "e"}, "ES256": {"kty", "crv", "x", "y"}}
    found = app.test_client().get("/.well-known/jwks.json").get_json()["keys"]
    if algorithm == "HS256":
        assert found == []
    else:
        assert [set(key) for key in found] == [{"kid", "alg", "use"} | public[algorithm]]
        assert (found[0]["alg"], found[0]["use"]) == (algorithm, "sig")


def test_published_keys_may_be_kept_for_a_while_by_everybody(app: Flask) -> None:
    answer = app.test_client().get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_retired_key_leaves_the_published_ones(make_app: MakeApp) -> None:
    app = make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM="ES256")
    rotate(app)
    rotate(app, "--at-once")
    assert len(app.test_client().get("/.well-known/jwks.json").get_json()["keys"]) == 1


def test_key_that_cannot_be_read_is_not_published(make_app: MakeApp) -> None:
    rotate(make_app(KAKAOAUTH_ACCESS_TOKEN_ALGORITHM="ES256"))
    after = make_app(
        KAKAOAUTH_ACCESS_TOKEN_ALGORITHM="ES256", SECRET_KEY="another secret for tests, of more than 32 characters"
    )
    assert after.test_client().get("/.well-known/jwks.json").get_json() == {"keys": []}
