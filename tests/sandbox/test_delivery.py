"""Webhooks: which are sent when, what stands in them, what may go wrong on their way."""

import re
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from support.sandbox import EVERY_ITEM, SETTINGS, START, Sandbox, receiver

from kakaoauth.sandbox.delivery import http as delivery_http
from kakaoauth.sandbox.delivery.http import DeliveryError, deliver
from kakaoauth.sandbox.delivery.outbox import Message, Outbox
from kakaoauth.sandbox.kakao.security_events import EVENT_FLAWS, EVENTS, UNLINK_FLAWS
from kakaoauth.sandbox.loopback import is_webhook_address
from kakaoauth.sandbox.pages.texts import TEXTS
from kakaoauth.sandbox.signing.tokens import payload_of


@pytest.fixture
def hook():
    with receiver() as received:
        yield received


@pytest.fixture
def sandbox(hook):
    return Sandbox(
        unlink_webhook_url=f"{hook.url}/unlink",
        account_status_webhook_url=f"{hook.url}/status",
        consent_items=EVERY_ITEM,
    )


def press(sandbox, path, **form):
    token = re.search(r'name="token" value="([^"]+)"', sandbox.browser.get("/").text)[1]
    return sandbox.browser.post(path, data={"token": token} | form)


def arrived(sandbox, hook):
    """Wait for what is on its way; return it as (path, headers, body), and forget it."""
    assert sandbox.state.outbox.join(10)
    found = [(path, headers, body.decode()) for _, path, headers, body in hook.requests]
    hook.requests.clear()
    return found


def event_of(request):
    claims = payload_of(request[2])
    [(uri, event)] = claims["events"].items()
    return uri.rpartition("/")[2], event


def send(sandbox, **body):
    answer = sandbox.api("POST", "webhooks/send", {"person": "haneul", "wait": True} | body)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_first_link_tells_user_linked_and_the_consents(sandbox, hook):
    sandbox.log_in(items=("account_email",))
    linked, consent = arrived(sandbox, hook)
    assert event_of(linked)[0] == "user-linked"
    assert event_of(consent)[0] == "user-scope-consent"
    assert event_of(consent)[1]["scopes"] == ["profile_nickname", "account_email"]
    sandbox.log_in()
    assert arrived(sandbox, hook) == []
    sandbox.log_in(items=("gender",), scope="gender")
    [more] = arrived(sandbox, hook)
    assert event_of(more)[1]["scopes"] == ["gender"]


def test_unlink_by_the_person_tells_both_webhooks_after_it_is_done(sandbox, hook):
    tokens = sandbox.tokens()
    arrived(sandbox, hook)
    press(sandbox, "/unlink", person="haneul")
    unlink, event = arrived(sandbox, hook)
    assert unlink[0] == "/hook/unlink"
    assert unlink[1]["Authorization"] == f"KakaoAK {SETTINGS.admin_key}"
    assert unlink[1]["Content-Type"] == "application/x-www-form-urlencoded;charset=utf-8"
    fields = {name: values[0] for name, values in parse_qs(unlink[2]).items()}
    assert fields == {"app_id": "654321", "user_id": "3902187701", "referrer_type": "UNLINK_FROM_APPS"}
    assert event_of(event)[0] == "user-unlinked"
    assert event_of(event)[1]["reason"] == "UNLINK_FROM_APPS"
    assert sandbox.call("GET", "/v2/user/me", tokens["access_token"]).status_code == 401


def test_deleted_account_is_gone_and_told(sandbox, hook):
    sandbox.log_in("bigid")
    arrived(sandbox, hook)
    press(sandbox, "/delete-account", delete="bigid")
    unlink, event = arrived(sandbox, hook)
    assert "user_id=1376016924429759228&referrer_type=ACCOUNT_DELETE" in unlink[2]
    assert event_of(event)[1]["reason"] == "ACCOUNT_DELETE"
    assert 'value="bigid"' not in sandbox.authorize().text
    sandbox.state.forget_everything()
    assert "bigid" in sandbox.state.people


def test_deleted_account_stays_deleted_after_a_restart(tmp_path):
    before = Sandbox(state_file=tmp_path / "s.json")
    before.api("DELETE", "people/bigid")
    assert "bigid" not in Sandbox(state_file=tmp_path / "s.json").state.people


@pytest.mark.parametrize("by_admin", [False, True])
def test_unlink_by_the_app_is_not_told(sandbox, hook, by_admin):
    tokens = sandbox.tokens()
    arrived(sandbox, hook)
    if by_admin:
        sandbox.admin("POST", "/v1/user/unlink", 3902187701)
    else:
        sandbox.call("POST", "/v1/user/unlink", tokens["access_token"])
    assert arrived(sandbox, hook) == []


def test_who_is_not_linked_is_not_told_about(sandbox, hook):
    press(sandbox, "/unlink", person="haneul")
    press(sandbox, "/unlink", person="nobody")
    press(sandbox, "/delete-account", delete="twin-a")
    assert arrived(sandbox, hook) == []


def test_nothing_is_sent_without_an_address():
    sandbox = Sandbox()
    sandbox.log_in()
    press(sandbox, "/unlink", person="haneul")
    assert sandbox.state.outbox.newest() == []
    for body in ({"kind": "unlink"}, {"event": "user-linked"}):
        answer = sandbox.api("POST", "webhooks/send", {"person": "haneul"} | body)
        assert answer.status_code == 400
        assert "is not set" in answer.json["error_description"]


def test_unlink_webhook_by_get(sandbox, hook):
    sandbox.api("POST", "console", {"unlink_webhook_method": "GET", "unlink_webhook_url": f"{hook.url}?a=b"})
    [sent] = send(sandbox, kind="unlink", referrer_type="INCOMPLETE_SIGN_UP")
    assert hook.requests[0][0] == "GET"
    assert hook.requests[0][1] == "/hook?a=b&app_id=654321&user_id=3902187701&referrer_type=INCOMPLETE_SIGN_UP"
    assert "Content-Type" not in hook.requests[0][2]
    assert sent["url"] == hook.url  # the list does not repeat the query


@pytest.mark.parametrize("name", EVENTS)
def test_event_is_a_set_that_the_published_keys_verify(sandbox, hook, name):
    send(sandbox, event=name)
    [(path, headers, body)] = arrived(sandbox, hook)
    assert path == "/hook/status"
    assert headers["Content-Type"] == "application/secevent+jwt"
    assert "Authorization" not in headers
    keys = KeySet.import_key_set(sandbox.server.get("/.well-known/jwks.json").json)
    token = jwt.decode(body, keys, algorithms=["RS256"])
    assert token.header["typ"] == "secevent+jwt"
    claims = token.claims
    subject = {"subject_type": "iss-sub", "iss": SETTINGS.issuer, "sub": "3902187701"}
    assert claims["events"][EVENTS[name]]["subject"] == subject
    assert ("reason" in claims["events"][EVENTS[name]]) == (name == "user-unlinked")
    assert ("scopes" in claims["events"][EVENTS[name]]) == (name in ("user-scope-consent", "user-scope-withdraw"))
    assert (claims["iss"], claims["aud"], claims["sub"]) == (SETTINGS.issuer, SETTINGS.client_id, "3902187701")
    assert (claims["app_id"], claims["iat"], claims["toe"]) == ("654321", START, START)
    assert set(claims) == {"iss", "aud", "sub", "app_id", "iat", "toe", "txm", "jti", "events"}


def test_all_18_events_have_an_address_of_their_own():
    assert len(set(EVENTS.values())) == len(EVENTS) == 18
    assert all(uri.startswith("https://schemas.") and uri.endswith(f"/{name}") for name, uri in EVENTS.items())


@pytest.mark.parametrize("flaw", ["bad_signature", "alg_none", "hs256", "unknown_key"])
def test_flaw_in_the_signature(sandbox, hook, flaw):
    send(sandbox, event="tokens-revoked", flaws=[flaw])
    [(_, _, body)] = arrived(sandbox, hook)
    keys = KeySet.import_key_set(sandbox.server.get("/.well-known/jwks.json").json)
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(body, keys, algorithms=["RS256"])
    assert payload_of(body)["sub"] == "3902187701"


@pytest.mark.parametrize(
    ("flaw", "holds"),
    [
        ("wrong_audience", lambda claims: claims["aud"] != SETTINGS.client_id),
        ("wrong_issuer", lambda claims: claims["iss"] != SETTINGS.issuer),
        ("iat_past", lambda claims: claims["iat"] == START - 30 * 86400),
        ("iat_future", lambda claims: claims["iat"] == START + 86400),
        ("unknown_event", lambda claims: set(claims["events"]).isdisjoint(EVENTS.values())),
        ("unknown_user", lambda claims: claims["sub"] == "1"),
        ("no_events", lambda claims: "events" not in claims),
        ("events_list", lambda claims: isinstance(claims["events"], list)),
        ("two_events", lambda claims: len(claims["events"]) == 2),
    ],
)
def test_flaw_in_the_claims_is_signed_well(sandbox, hook, flaw, holds):
    send(sandbox, event="user-linked", flaws=[flaw])
    [(_, _, body)] = arrived(sandbox, hook)
    keys = KeySet.import_key_set(sandbox.server.get("/.well-known/jwks.json").json)
    assert holds(jwt.decode(body, keys, algorithms=["RS256"]).claims)


def test_flaws_can_be_combined_and_every_one_has_its_words(sandbox, hook):
    send(sandbox, event="user-linked", flaws=["duplicate", "wrong_typ", "unknown_user"])
    first, second = arrived(sandbox, hook)
    assert first == second
    assert payload_of(first[2])["sub"] == "1"
    for flaw in {*EVENT_FLAWS, *UNLINK_FLAWS}:
        assert f"flaw_{flaw}" in TEXTS


@pytest.mark.parametrize(
    ("flaw", "holds"),
    [
        ("no_key", lambda headers, _: "Authorization" not in headers),
        ("wrong_key", lambda headers, _: SETTINGS.admin_key not in headers["Authorization"]),
        ("wrong_app", lambda _, body: "app_id=654322" in body),
        ("unknown_user", lambda _, body: "user_id=1&" in body),
        ("unknown_referrer", lambda _, body: "NEVER_HEARD_OF" in body),
        ("no_user", lambda _, body: "user_id" not in body),
    ],
)
def test_flaw_in_the_unlink_webhook(sandbox, hook, flaw, holds):
    send(sandbox, kind="unlink", flaws=[flaw])
    [(_, headers, body)] = arrived(sandbox, hook)
    assert holds(headers, body)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "never"},
        {"event": "user-linked", "flaws": ["never"]},
        {"event": "user-unlinked", "referrer_type": "NEVER"},
        {"kind": "unlink", "flaws": ["alg_none"]},
        {"kind": "letter"},
        {"event": "user-linked", "person": "nobody"},
        {"event": "user-linked", "flaws": "alg_none"},
        {"event": "user-linked", "wait": 1},
    ],
)
def test_nonsense_is_refused(sandbox, body):
    answer = sandbox.api("POST", "webhooks/send", {"person": "haneul"} | body)
    assert answer.status_code == 400
    assert sandbox.state.outbox.newest() == []


def test_sent_again_it_is_the_same_to_the_byte(sandbox, hook):
    [sent] = send(sandbox, event="user-linked")
    [again] = sandbox.api("POST", f"webhooks/{sent['id']}/again", {"wait": True}).json
    first, second = arrived(sandbox, hook)
    assert first == second
    assert again["jti"] == sent["jti"]
    assert again["id"] != sent["id"]
    assert sandbox.api("POST", "webhooks/99/again").status_code == 400


def test_list_shows_how_it_went_and_no_key(sandbox, hook):
    [sent] = send(sandbox, kind="unlink")
    assert sent["status"] == 202
    assert sent["problem"] is None
    assert 0 <= sent["milliseconds"] < 3000
    text = sandbox.api("GET", "webhooks", query_string={"wait": "1"}).text
    assert SETTINGS.admin_key not in text
    assert "202" in text


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 302, None),
        (b"HTTP/1.0 500 Oops\r\n\r\nbody", 500, None),
        (b"", None, "the connection ended without an answer"),
        (b"SSH-2.0-OpenSSH and more\r\n\r\n", None, "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000, None, "the answer's head has no end"),
        (b"\r\n\r\n", None, "not enough values"),
    ],
)
def test_answers_of_the_site(sandbox, hook, answer, status, problem):
    hook.answer = answer
    [sent] = send(sandbox, kind="unlink")
    assert sent["status"] == status
    assert (sent["problem"] or "").startswith(problem or "")
    assert bool(sent["problem"]) == bool(problem)
    assert len(hook.requests) == 1


def test_site_that_does_not_answer_has_three_seconds(sandbox, hook, monkeypatch):
    assert delivery_http.SECONDS == 3
    monkeypatch.setattr(delivery_http, "SECONDS", 0.05)
    hook.answer = None
    [sent] = send(sandbox, kind="unlink")
    assert sent["problem"].startswith("no answer within")
    assert 40 <= sent["milliseconds"] < 3000


def test_deadline_covers_the_connecting_too(hook, monkeypatch):
    monkeypatch.setattr(delivery_http, "SECONDS", 0)
    with pytest.raises(DeliveryError, match="no answer within 0 seconds"):
        deliver("POST", hook.url, {}, b"")


def test_encrypted_address_must_speak_tls(sandbox, hook):
    sandbox.api("POST", "console", {"unlink_webhook_url": hook.url.replace("http:", "https:")})
    [sent] = send(sandbox, kind="unlink")
    assert "SSL" in sent["problem"]
    assert sent["status"] is None


def test_site_that_is_not_there(sandbox):
    sandbox.api("POST", "console", {"unlink_webhook_url": "http://127.0.0.1:1/"})
    [sent] = send(sandbox, kind="unlink")
    assert "refused" in sent["problem"]


GOOD = [
    "http://127.0.0.1:8000/x",
    "http://localhost/",
    "https://localhost:8443/a?b=c",
    "http://[::1]:8000/",
    "http://127.9.9.9/",
]
BAD = [
    *("http://192.168.0.7/", "http://example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/"),
    *("http://127.0.0.1@example.com/", "http://x@127.0.0.1/", "ftp://127.0.0.1/", "//127.0.0.1/", "127.0.0.1", ""),
    *(
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1/ x",
        "http://[::/",
    ),
    *("http://127.0.0.1\\@example.com/", "http://127.0.0.1/#x", "http://2130706433/", "http://0.0.0.0/", "http://0/"),
    *(
        "http://127.1/",
        "http://[::ffff:192.168.0.7]/",
        "http:///x",
        "file:///etc/passwd",
        "http://127.0.0.1/" + "x" * 500,
    ),
]


@pytest.mark.parametrize("url", BAD)
def test_webhooks_stay_on_this_computer(url):
    assert not is_webhook_address(url)
    with pytest.raises(DeliveryError):
        deliver("POST", url, {}, b"")
    sandbox = Sandbox()
    for name in ("unlink_webhook_url", "account_status_webhook_url"):
        assert sandbox.api("POST", "console", {name: url}).status_code == 400
        with pytest.raises(ValueError):
            Sandbox(**{name: url})


@pytest.mark.parametrize("url", GOOD)
def test_addresses_of_this_computer(url):
    assert is_webhook_address(url)


def test_name_that_leads_away_after_all_gets_nothing(hook, monkeypatch):
    monkeypatch.setattr(delivery_http, "is_loopback", lambda _: False)
    with pytest.raises(DeliveryError, match="is not this computer"):
        deliver("POST", hook.url, {}, b"secret")
    assert hook.requests == []


def test_flood_is_bounded(sandbox, hook, monkeypatch):
    monkeypatch.setattr("kakaoauth.sandbox.delivery.outbox.MOST_WAITING", 0)
    outbox = Outbox(sandbox.clock)
    assert outbox.send(Message("unlink", "x", "1", "POST", hook.url)).problem == "too many are waiting"
    assert outbox.join(1)


def test_webhook_page(sandbox, hook):
    def form(**fields):
        return press(
            sandbox, "/sandbox/webhooks/send", **({"person": "haneul", "referrer_type": "UNLINK_FROM_APPS"} | fields)
        )

    assert form(kind="unlink", flaw="wrong_key").status_code == 303
    sandbox.log_in(items=())
    arrived(sandbox, hook)
    assert form(kind="account-status", event="user-scope-consent", flaw=["duplicate", "iat_past"]).status_code == 303
    first, second = arrived(sandbox, hook)
    assert first == second
    assert event_of(first)[1]["scopes"] == ["profile_nickname"]
    assert 'data-delivery="1"' in sandbox.browser.get("/sandbox/webhooks").text
    assert press(sandbox, "/sandbox/webhooks/again", delivery="1").status_code == 303
    assert len(arrived(sandbox, hook)) == 1
    assert form(kind="account-status", event="never").status_code == 422
    assert form(kind="unlink", person="nobody").status_code == 400
    assert press(sandbox, "/sandbox/webhooks/again", delivery="many").status_code == 400
    assert sandbox.browser.post("/sandbox/webhooks/again", data={"delivery": "1"}).status_code == 400


def test_configuration_of_the_events_is_published():
    sandbox = Sandbox()
    for name in ("ssf", "sse"):
        assert sandbox.server.get(f"/.well-known/{name}-configuration").json == {
            "issuer": SETTINGS.issuer,
            "jwks_uri": f"{SETTINGS.issuer}/.well-known/jwks.json",
            "delivery_methods_supported": "http://schemas.openid.net/secevent/risc/delivery-method/push",
        }
