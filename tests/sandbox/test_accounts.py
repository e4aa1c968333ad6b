"""What Naver, Google and Apple have in common in the sandbox: tools, faults, memory."""

import re

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from support.accounts import RINGS, unsigned
from support.sandbox import Sandbox, page_of

from kakaoauth.config import sandbox as config
from kakaoauth.sandbox import AppleSettings, GoogleSettings, NaverSettings
from kakaoauth.sandbox.endpoints import ACCOUNT_JSON, ACCOUNT_PAGES, ACCOUNT_TOKENS
from kakaoauth.sandbox.faults.catalogue import FAULTS

PROVIDERS = ("naver", "google", "apple")
SITE = "http://localhost:8000"


@pytest.fixture
def sandbox():
    made = Sandbox(keyrings=RINGS)
    for provider in PROVIDERS:
        made.state.change_account_settings(provider, redirect_uris=(f"{SITE}/{provider}/login/callback/",))
    return made


def press(sandbox, provider, path, **form):
    token = re.search(r'name="token" value="([^"]+)"', sandbox.browser.get(f"/sandbox/{provider}").text)[1]
    return sandbox.browser.post(f"/sandbox/{provider}{path}", data={"token": token} | form)


def log_in(sandbox, provider, person="haneul", **body):
    answer = sandbox.api("POST", f"{provider}/people/{person}/log-in", body)
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_page_shows_settings_people_and_messages(sandbox, provider, language):
    log_in(sandbox, provider)
    answer = sandbox.browser.get(f"/sandbox/{provider}", headers={"Accept-Language": language})
    assert page_of(answer) == "account_provider"
    assert f"{provider.upper()}_CLIENT_ID=" in answer.text
    assert "<script>alert" not in answer.text
    assert "카카오가 아닙니다" not in answer.text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_page_takes_the_app_away_and_deletes_accounts(sandbox, provider):
    store = sandbox.state.accounts[provider]
    log_in(sandbox, provider)
    assert press(sandbox, provider, "/remove", person="haneul").status_code == 303
    assert "haneul" not in store.consents
    log_in(sandbox, provider)
    assert press(sandbox, provider, "/remove", delete="haneul").status_code == 303
    assert "haneul" not in store.people
    assert press(sandbox, provider, "/remove", person="haneul").status_code == 400
    assert press(sandbox, provider, "/leave").status_code == 303
    assert press(sandbox, provider, "/send", person="html", event="x").status_code == 422
    assert sandbox.browser.post(f"/sandbox/{provider}/remove", data={"person": "html"}).status_code == 400


@pytest.mark.parametrize(
    ("provider", "switch"), [("naver", "reviewed"), ("google", "testing"), ("apple", "texts_for_flags")]
)
def test_page_and_api_change_the_switches(sandbox, provider, switch):
    press(sandbox, provider, "/app", **{switch: "1"})
    assert getattr(getattr(sandbox.state.settings, provider), switch) is True
    press(sandbox, provider, "/app")
    assert getattr(getattr(sandbox.state.settings, provider), switch) is False
    shown = sandbox.api("GET", provider).json["app"]
    assert sandbox.api("POST", f"{provider}/app", shown).json["app"] == shown


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("naver", {"client_secret": None}),
        ("naver", {"items": {"shoe_size": "required"}}),
        ("naver", {"items": ["name"]}),
        ("naver", {"items": {"name": "never"}}),
        ("naver", {"testers": ["nobody"]}),
        ("naver", {"disconnect_url": "https://example.com/hook"}),
        ("google", {"events_url": "https://example.com/hook"}),
        ("google", {"testing": "yes"}),
        ("google", {"client_id": "x"}),
        ("apple", {"team_id": "short"}),
        ("apple", {"app_ids": ["kr.example.sandbox.web"]}),
        ("apple", {"notification_url": "http://192.168.0.1/hook"}),
    ],
)
def test_odd_setting_is_refused(sandbox, provider, body):
    before = sandbox.api("GET", "state").json
    assert sandbox.api("POST", f"{provider}/app", body).status_code == 400
    assert sandbox.api("GET", "state").json == before


@pytest.mark.parametrize(
    ("provider", "shape"),
    [("naver", r"[\w-]{43}"), ("google", r"[1-9][0-9]{20}"), ("apple", r"[0-9]{6}\.[0-9a-f]{32}\.[0-9]{4}")],
)
def test_person_is_made_and_changed(sandbox, provider, shape):
    made = sandbox.api("POST", f"{provider}/people", {"key": "mina", "name": "미나 김", "email": "mina@example.kr"})
    assert made.status_code == 201
    assert re.fullmatch(shape, made.json["subject"])
    changed = sandbox.api("POST", f"{provider}/people", {"key": "mina", "email": None})
    assert (changed.status_code, changed.json["email"], changed.json["linked"]) == (200, None, False)
    log_in(sandbox, provider, "mina")
    [mina] = [one for one in sandbox.api("GET", provider).json["people"] if one["key"] == "mina"]
    assert mina["linked"] is True


@pytest.mark.parametrize(
    "person",
    [
        {"name": ""},
        {},
        {"name": 7},
        {"name": "가", "email": "nonsense"},
        {"name": "가", "subject": "3902187701"},
        {"name": "가", "subject": "a b"},
        {"name": "가", "email_verified": "yes"},
        {"name": "가", "key": "A B"},
        {"name": "가", "mobile": "010"},
        {"name": "가", "made": True},
        {"key": "haneul", "subject": "5"},
    ],
)
def test_odd_person_is_refused(sandbox, person):
    before = dict(sandbox.state.accounts["google"].people)
    assert sandbox.api("POST", "google/people", person).status_code == 400
    assert sandbox.state.accounts["google"].people == before


def test_person_of_ones_own_logs_in(sandbox):
    query = {"client_id": sandbox.state.settings.google.client_id, "scope": "openid", "response_type": "code"}
    query |= {"redirect_uri": f"{SITE}/google/login/callback/"}
    chooser = sandbox.browser.get("/google/o/oauth2/v2/auth", query_string=query)
    request = re.search(r'name="request" value="([^"]+)"', chooser.text)[1]
    odd = sandbox.browser.post("/google/login/new-person", data={"request": request, "nickname": "", "email": "x"})
    assert (odd.status_code, page_of(odd)) == (422, "account_chooser")
    made = sandbox.browser.post("/google/login/new-person", data={"request": request, "nickname": "새 사람"})
    assert page_of(sandbox.browser.get(made.location)) == "account_consent"


def test_relay_is_apples_alone(sandbox):
    assert sandbox.api("POST", "google/people/haneul/relay", {"on": True}).status_code == 400


def test_every_provider_signs_with_keys_of_its_own(sandbox):
    tokens = {provider: log_in(sandbox, provider, oidc=True)["id_token"] for provider in PROVIDERS}
    for provider, token in tokens.items():
        others = [one for one in PROVIDERS if one != provider]
        for other in [*others, "kakao"]:
            ring = KeySet.import_key_set({"keys": sandbox.state.keys(other).public()})
            with pytest.raises((JoseError, ValueError)):
                jwt.decode(token, ring, algorithms=["RS256"])


def test_everything_survives_a_restart(tmp_path):
    path = tmp_path / "s.json"
    before = Sandbox(keyrings=RINGS, state_file=path)
    tokens = {provider: log_in(before, provider) for provider in PROVIDERS}
    before.api("POST", "naver/people", {"key": "mina", "name": "미나"})
    before.api("DELETE", "apple/people/html")
    after = Sandbox(state_file=path)
    assert "mina" in after.state.accounts["naver"].people
    assert "html" not in after.state.accounts["apple"].people
    for provider in PROVIDERS:
        assert tokens[provider]["access_token"] in after.state.accounts[provider].tokens
        assert "haneul" in after.state.accounts[provider].consents
        assert after.state.keys(provider).public() == before.state.keys(provider).public()
    after.api("POST", "reset")
    assert not any(store.tokens or store.consents for store in after.state.accounts.values())
    assert "html" in after.state.accounts["apple"].people


def test_credentials_are_the_ones_the_site_knows():
    assert NaverSettings().client_id == config.SANDBOX_NAVER_CLIENT_ID
    assert NaverSettings().client_secret == config.SANDBOX_NAVER_CLIENT_SECRET
    assert GoogleSettings().client_id == config.SANDBOX_GOOGLE_CLIENT_ID
    assert GoogleSettings().client_secret == config.SANDBOX_GOOGLE_CLIENT_SECRET
    apple = AppleSettings()
    assert (apple.client_id, apple.team_id, apple.key_id, apple.private_key) == (
        config.SANDBOX_APPLE_CLIENT_ID,
        config.SANDBOX_APPLE_TEAM_ID,
        config.SANDBOX_APPLE_KEY_ID,
        config.SANDBOX_APPLE_PRIVATE_KEY,
    )


# Faults

PATHS = {
    "naver_authorize": "/naver/oauth2.0/authorize",
    "google_authorize": "/google/o/oauth2/v2/auth",
    "apple_authorize": "/apple/auth/authorize",
    "naver_token": "/naver/oauth2.0/token",
    "naver_oidc_token": "/naver/oauth2/token",
    "google_token": "/google/token",
    "apple_token": "/apple/auth/token",
    "naver_revoke": "/naver/oauth2.0/revoke",
    "google_revoke": "/google/revoke",
    "apple_revoke": "/apple/auth/revoke",
    "naver_me": "/naver/v1/nid/me",
    "naver_verify": "/naver/v1/nid/verify",
    "google_userinfo": "/google/v1/userinfo",
    "google_tokeninfo": "/google/tokeninfo",
    "naver_jwks": "/naver/oauth2/jwks",
    "google_jwks": "/google/oauth2/v3/certs",
    "apple_jwks": "/apple/auth/keys",
    "naver_discovery": "/naver/.well-known/openid-configuration",
    "google_discovery": "/google/.well-known/openid-configuration",
    "apple_discovery": "/apple/.well-known/openid-configuration",
    "google_risc": "/google/.well-known/risc-configuration",
}


def test_every_address_can_break(sandbox):
    assert set(PATHS) == ACCOUNT_PAGES | ACCOUNT_JSON
    for endpoint, path in PATHS.items():
        sandbox.break_(endpoint, "http_503", calls=1)
        method = "POST" if ("token" in endpoint and "info" not in endpoint) or "revoke" in endpoint else "GET"
        assert sandbox.server.open(path, method=method).status_code == 503, endpoint
        assert sandbox.api("GET", "log").json[0]["fault"] == "http_503"


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.group in ("oauth", "naver")])
def test_json_fault_answers_in_the_providers_words(sandbox, name):
    for endpoint in FAULTS[name].endpoints:
        sandbox.break_(endpoint, name, calls=1)
        answer = sandbox.server.open(PATHS[endpoint], method="GET" if name.startswith("naver") else "POST")
        if name.startswith("naver_"):
            assert answer.json["resultcode"] == name.removeprefix("naver_")
        else:
            assert answer.json["error"] == name.removeprefix("oauth_")
            assert (answer.status_code == 200) == (endpoint == "naver_token")


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.group == "page"])
def test_page_fault_shows_a_page(sandbox, name):
    for endpoint in ACCOUNT_PAGES:
        sandbox.break_(endpoint, name, calls=1)
        answer = sandbox.browser.get(PATHS[endpoint])
        assert page_of(answer) == "account_error"
        assert answer.status_code >= 400


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.group == "account"])
def test_error_goes_back_to_a_registered_address_only(sandbox, name):
    for provider in PROVIDERS:
        sandbox.break_(f"{provider}_authorize", name)
        query = {"redirect_uri": f"{SITE}/{provider}/login/callback/", "state": "s"}
        answer = sandbox.browser.get(PATHS[f"{provider}_authorize"], query_string=query)
        assert (page_of(answer) == "account_form_post") == (provider == "apple")
        assert answer.status_code == (200 if provider == "apple" else 302)
        elsewhere = sandbox.browser.get(
            PATHS[f"{provider}_authorize"], query_string={"redirect_uri": "https://evil.example"}
        )
        assert page_of(elsewhere) == "account_error"


@pytest.mark.parametrize("flaw", [name for name, kind in FAULTS.items() if kind.group == "id_token"])
def test_id_token_has_the_flaw_that_was_asked_for(sandbox, flaw):
    assert FAULTS[flaw].endpoints >= ACCOUNT_TOKENS
    settings = sandbox.state.settings.google
    body = {"redirect_uri": f"{SITE}/google/login/callback/", "nonce": "n"}
    code = log_in(sandbox, "google", "gmail", **body)["code"]
    sandbox.break_("google_token", flaw)
    form = {"client_id": settings.client_id, "client_secret": settings.client_secret, "code": code}
    form |= {"grant_type": "authorization_code", "redirect_uri": body["redirect_uri"]}
    answer = sandbox.server.post("/google/token", data=form).json
    if flaw == "id_token_missing":
        assert "id_token" not in answer
        return
    claims = unsigned(answer["id_token"])
    right = sandbox.state.accounts["google"].people["gmail"].subject
    assert (claims["sub"] == right) == (flaw != "id_token_other_subject")
    ring = KeySet.import_key_set({"keys": sandbox.state.keys("google").public()})
    unsigned_flaws = {f"id_token_{name}" for name in ("bad_signature", "alg_none", "hs256", "unknown_key")}
    if flaw in unsigned_flaws:
        with pytest.raises((JoseError, ValueError)):
            jwt.decode(answer["id_token"], ring, algorithms=["RS256"])
    else:
        jwt.decode(answer["id_token"], ring, algorithms=["RS256"])


def test_other_id_is_somebody_else(sandbox):
    tokens = {provider: log_in(sandbox, provider)["access_token"] for provider in ("naver", "google")}
    headers = {provider: {"Authorization": f"Bearer {token}"} for provider, token in tokens.items()}
    for endpoint, provider in (("naver_me", "naver"), ("google_userinfo", "google")):
        right = sandbox.server.get(PATHS[endpoint], headers=headers[provider]).json
        sandbox.break_(endpoint, "other_id")
        wrong = sandbox.server.get(PATHS[endpoint], headers=headers[provider]).json
        assert right != wrong
        assert wrong.get("sub", wrong.get("response", {}).get("id"))
    sandbox.break_("google_tokeninfo", "other_app")
    body = sandbox.server.get(PATHS["google_tokeninfo"], query_string={"access_token": tokens["google"]}).json
    assert body["aud"] == "somebody-elses-client"
