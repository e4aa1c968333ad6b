"""The console's switches and the control API: console, clock, keys, log, people, reset."""

import re

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from support.sandbox import CALLBACK, OTHER_CALLBACK, SETTINGS, START, Sandbox, koe, page_of, refused, returned

from kakaoauth.sandbox.signing.keys import MOST_KEYS, KeyRing


def console(sandbox, **changes):
    answer = sandbox.api("POST", "console", changes)
    assert answer.status_code == 200, answer.text
    return answer.json


def form_of(sandbox, path):
    """Return what a browser would send if the first console-like form were submitted unchanged."""
    text = sandbox.browser.get(path).text
    form = dict(re.findall(r'<input type="(?:text|hidden)" name="(\w+)" value="([^"]*)"', text))
    form |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)<', text))
    form |= dict.fromkeys(re.findall(r'type="checkbox" name="(\w+)" value="1" checked', text), "1")
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r"<option(?: value=\"(\w*)\")? selected>(\w*)", options)
        form[name] = (chosen[1] if chosen[1] is not None else chosen[2]) if chosen else ""
    return form


# The console


def test_client_secret_can_be_switched_off_and_on(sandbox):
    console(sandbox, client_secret=None)
    assert sandbox.exchange(sandbox.log_in(), client_secret=None).status_code == 200
    console(sandbox, client_secret="new-one")
    assert koe(sandbox.exchange(sandbox.log_in())) == "KOE010"
    assert sandbox.exchange(sandbox.log_in(), client_secret="new-one").status_code == 200


def test_openid_connect_can_be_switched_off(sandbox):
    tokens = sandbox.tokens()
    console(sandbox, oidc=False)
    assert "id_token" not in sandbox.tokens()
    assert "id_token" not in sandbox.refresh(tokens["refresh_token"]).json


def test_kakao_login_can_be_switched_off(sandbox):
    code = sandbox.log_in()
    console(sandbox, login_enabled=False)
    assert "KOE004" in sandbox.authorize().text
    assert "앱 관리자 설정 오류 (KOE004)" in sandbox.authorize(prompt="none").text
    assert koe(sandbox.exchange(code)) == "KOE004"


def test_test_app_is_for_its_members(sandbox):
    console(sandbox, test_app=True, members=["haneul"])
    assert "code" in returned(sandbox.decide(sandbox.enter(sandbox.authorize(), "haneul")))
    answer = sandbox.enter(sandbox.authorize(prompt="login"), "bigid")
    assert "KOE005" in answer.text
    assert page_of(answer) == "error"
    assert "Location" not in sandbox.authorize(prompt="none").headers


def test_member_who_is_sent_away_can_not_consent_after_all(sandbox):
    consent = sandbox.enter(sandbox.authorize(), "haneul")
    console(sandbox, test_app=True)
    assert (
        "KOE005"
        in sandbox.browser.post(
            "/oauth/authorize/consent",
            data={"request": re.search(r'name="request" value="([^"]+)"', consent.text)[1], "decision": "agree"},
        ).text
    )
    assert not sandbox.state.links


def test_consent_items_and_their_levels(sandbox):
    console(sandbox, consent_items={"profile_nickname": "optional", "gender": "required"})
    consent = sandbox.enter(sandbox.authorize(), "haneul")
    boxes = dict(re.findall(r'name="item" value="(\w+)" checked( disabled)?', consent.text))
    assert boxes == {"profile_nickname": "", "gender": " disabled"}
    assert "KOE205" in sandbox.authorize(scope="account_email").text


def test_redirect_uris(sandbox):
    console(sandbox, redirect_uris=[OTHER_CALLBACK], logout_redirect_uris=[])
    assert "KOE006" in sandbox.authorize().text
    assert page_of(sandbox.authorize(redirect_uri=OTHER_CALLBACK)) == "chooser"
    query = {"client_id": SETTINGS.client_id, "logout_redirect_uri": CALLBACK}
    assert "KOE007" in sandbox.browser.get("/oauth/logout", query_string=query).text


def test_allowed_addresses(sandbox):
    token = sandbox.tokens()["access_token"]
    console(sandbox, allowed_ips=["192.0.2.1"])
    answer = sandbox.call("GET", "/v2/user/me", token)
    assert refused(answer, 401, -401)
    assert answer.json["msg"].startswith("ip mismatched! callerIp=127.0.0.1.")
    assert refused(sandbox.admin("GET", "/v1/user/ids"), 401, -401)
    token_call = sandbox.exchange(sandbox.log_in())
    assert (token_call.status_code, koe(token_call)) == (401, "KOE127")
    console(sandbox, allowed_ips=["192.0.2.1", "127.0.0.1"])
    assert "access_token" in sandbox.tokens()
    assert sandbox.call("GET", "/v2/user/me", token).status_code == 200


def test_policy_for_people_under_14(sandbox):
    console(sandbox, under_14_allowed=True)
    token = sandbox.tokens("under14")["access_token"]
    assert sandbox.call("GET", "/v2/user/me", token).status_code == 200
    consent = sandbox.enter(sandbox.authorize(prompt="login"), "under14")
    assert "code" in returned(consent)
    console(sandbox, under_14_allowed=False)
    assert refused(sandbox.call("GET", "/v2/user/me", token), 401, -406)
    assert returned(sandbox.authorize())["error_description"] == "Not allowed under age 14"


def test_policy_that_changes_before_the_consent_is_given(sandbox):
    console(sandbox, under_14_allowed=True)
    consent = sandbox.enter(sandbox.authorize(), "under14")
    console(sandbox, under_14_allowed=False)
    assert returned(sandbox.decide(consent))["error"] == "access_denied"


def test_rights_of_the_admin_key(sandbox):
    sandbox.log_in()
    console(sandbox, admin_key_apis=["unlink"])
    assert refused(sandbox.admin("GET", "/v1/user/ids"), 403, -3)
    assert refused(sandbox.admin("GET", "/v2/user/me", 3902187701), 403, -3)
    assert sandbox.admin("POST", "/v1/user/unlink", 3902187701).status_code == 200
    console(sandbox, admin_key_apis=None)
    assert sandbox.admin("GET", "/v1/user/ids").status_code == 200


def test_missing_redirect_uri_in_the_token_call(sandbox):
    assert sandbox.exchange(sandbox.log_in(), redirect_uri=None).status_code == 200
    assert koe(sandbox.exchange(sandbox.log_in(), redirect_uri=OTHER_CALLBACK)) == "KOE303"
    for switch in ({"token_redirect_uri_required": True}, {"token_redirect_uri_required": False, "strict": True}):
        console(sandbox, **switch)
        assert koe(sandbox.exchange(sandbox.log_in(), redirect_uri=None)) == "KOE303"


WITH_A_TOKEN = (
    ("GET", "/v2/user/me"),
    ("POST", "/v2/user/me"),
    ("GET", "/v1/user/access_token_info"),
    ("GET", "/v2/user/scopes"),
    ("GET", "/v1/oidc/userinfo"),
    ("POST", "/v1/user/logout"),
)


@pytest.mark.parametrize(("method", "path"), WITH_A_TOKEN)
def test_access_token_in_the_address(sandbox, method, path):
    query = {"access_token": sandbox.tokens()["access_token"]}
    for switch in ({"strict": True}, {"strict": False, "access_token_in_query_allowed": False}):
        console(sandbox, **switch)
        assert sandbox.server.open(path, method=method, query_string=query).status_code in (400, 401)
    console(sandbox, access_token_in_query_allowed=True)
    wrong = sandbox.call(method, path, "wrong", query_string=query)
    assert refused(wrong, 401, -401), "the header counts before the address"
    assert sandbox.server.open(path, method=method, query_string=query).status_code == 200


def token_in_the_address(sandbox, query, **form):
    query = {"client_id": SETTINGS.client_id, "client_secret": SETTINGS.client_secret} | query
    return sandbox.server.post("/oauth/token", query_string=query, data=form)


def test_token_parameters_in_the_address(sandbox):
    grant = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    tokens = token_in_the_address(sandbox, grant | {"code": sandbox.log_in()})
    assert tokens.status_code == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.json["refresh_token"]}
    assert token_in_the_address(sandbox, refresh).status_code == 200
    for switch in ({"strict": True}, {"strict": False, "token_parameters_in_query_allowed": False}):
        console(sandbox, **switch)
        refusal = token_in_the_address(sandbox, refresh)
        assert koe(refusal) == "KOE101"
        assert refusal.json["error_description"] == "Not exist client_id [null]"


def test_token_parameters_from_address_and_body_make_one_set(sandbox):
    code = sandbox.log_in()
    half = {"grant_type": "authorization_code", "code": code}
    answer = token_in_the_address(sandbox, half, code="another")
    assert answer.json == {"error": "invalid_request", "error_description": "duplicated parameter: code"}
    assert token_in_the_address(sandbox, half, code=code, redirect_uri=CALLBACK).status_code == 200


def test_body_that_is_no_form_counts_as_nothing_beside_the_address(sandbox):
    grant = {"grant_type": "authorization_code", "code": sandbox.log_in(), "client_id": SETTINGS.client_id}
    answer = sandbox.server.post("/oauth/token", query_string=grant, json={"client_secret": SETTINGS.client_secret})
    assert koe(answer) == "KOE010"


def test_refresh_in_the_address_meets_the_faults_of_a_refresh(sandbox):
    sandbox.break_("refresh", "KOE322")
    assert koe(token_in_the_address(sandbox, {"grant_type": "refresh_token", "refresh_token": "x"})) == "KOE322"


def test_strict_can_be_switched_on_the_page(sandbox):
    page = sandbox.browser.get("/sandbox/console").text
    assert {"strict", "token_parameters_in_query_allowed"} <= set(re.findall(r'type="checkbox" name="(\w+)"', page))
    form = {"token": re.search(r'name="token" value="([^"]+)"', page)[1], "strict": "1", "client_secret": "x"}
    assert sandbox.browser.post("/sandbox/console", data=form).status_code == 303
    assert sandbox.api("GET", "console").json["strict"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"oidc": "yes"},
        {"client_secret": ""},
        {"client_secret": 7},
        {"redirect_uris": "http://x/"},
        {"redirect_uris": [""]},
        {"members": ["nobody"]},
        {"allowed_ips": ["here"]},
        {"admin_key_apis": ["everything"]},
        {"admin_key_apis": "ids"},
        {"unlink_webhook_method": "PUT"},
        {"unlink_webhook_method": None},
        {"consent_items": {"email": "required"}},
        {"consent_items": {"account_email": "always"}},
        {"consent_items": {"account_email": 1}},
        {"consent_items": ["account_email"]},
        {"consent_items": {"profile": "required", "profile_image": "optional"}},
        {"issuer": "http://localhost:1"},
        {"state_file": "/etc/passwd"},
        {"oidc": False, "never": 1},
    ],
)
def test_console_refuses_nonsense_and_changes_nothing(sandbox, changes):
    before = sandbox.api("GET", "console").json
    answer = sandbox.api("POST", "console", changes)
    assert answer.status_code == 400
    assert set(answer.json) == {"error", "error_description"}
    assert sandbox.api("GET", "console").json == before


def test_console_can_be_read_and_sent_back(sandbox):
    shown = sandbox.api("GET", "console").json
    assert shown["consent_items"]["profile_nickname"] == "required"
    assert console(sandbox, **shown) == shown


def test_console_page_sent_back_unchanged_changes_nothing(sandbox):
    before = sandbox.api("GET", "console").json
    assert sandbox.browser.post("/sandbox/console", data=form_of(sandbox, "/sandbox/console")).status_code == 303
    assert sandbox.api("GET", "console").json == before


def test_console_page_changes_every_switch(sandbox):
    form = form_of(sandbox, "/sandbox/console") | {
        "test_app": "1",
        "members": "haneul bigid",
        "client_secret": " ",
        "redirect_uris": "http://localhost:1/a\r\nhttp://localhost:1/b",
        "admin_key_limited": "1",
        "admin_key_apis": ["ids", "unlink"],
        "unlink_webhook_method": "GET",
        "unlink_webhook_url": "http://localhost:9/x",
        "item_gender": "required",
        "item_account_email": "",
    }
    del form["oidc"]
    assert sandbox.browser.post("/sandbox/console", data=form).status_code == 303
    now = sandbox.api("GET", "console").json
    assert (now["test_app"], now["oidc"], now["client_secret"]) == (True, False, None)
    assert now["redirect_uris"] == ["http://localhost:1/a", "http://localhost:1/b"]
    assert now["admin_key_apis"] == ["ids", "unlink"]
    assert "account_email" not in now["consent_items"]
    assert form_of(sandbox, "/sandbox/console")["item_gender"] == "required"
    answer = sandbox.browser.post("/sandbox/console", data=form | {"unlink_webhook_url": "http://example.com/"})
    assert answer.status_code == 422
    assert "http://example.com/" in answer.text
    assert sandbox.browser.post("/sandbox/console", data={}).status_code == 400


# The clock


def test_clock_moves_everything(sandbox):
    tokens = sandbox.tokens()
    body = sandbox.api("POST", "clock", {"advance": 21_599}).json
    assert body == {"now": "2026-09-21T20:13:19Z", "timestamp": START + 21_599, "offset": 21_599}
    assert refused(sandbox.call("GET", "/v2/user/me", tokens["access_token"]), 401, -401)
    renewed = sandbox.refresh(tokens["refresh_token"]).json
    assert "refresh_token" not in renewed
    assert sandbox.call("GET", "/v2/user/me", renewed["access_token"]).status_code == 200


def test_refresh_token_is_renewed_near_its_end(sandbox):
    tokens = sandbox.tokens()
    sandbox.api("POST", "clock", {"advance": 31 * 86400})
    renewed = sandbox.refresh(tokens["refresh_token"]).json
    assert renewed["refresh_token_expires_in"] == 5183999
    assert koe(sandbox.refresh(tokens["refresh_token"])) == "KOE322"
    assert "refresh_token" not in sandbox.refresh(renewed["refresh_token"]).json
    sandbox.api("POST", "clock", {"advance": 60 * 86400})
    assert koe(sandbox.refresh(renewed["refresh_token"])) == "KOE322"


def test_clock_goes_back(sandbox):
    sandbox.api("POST", "clock", {"advance": 3600})
    assert sandbox.api("POST", "clock", {"reset": True, "advance": -60.5}).json["offset"] == -60.5
    assert sandbox.api("POST", "clock", {"reset": True}).json["offset"] == 0
    assert sandbox.api("GET", "clock").json["timestamp"] == START


@pytest.mark.parametrize(
    "body", [{"advance": "1"}, {"advance": True}, {"advance": 1e12}, {"reset": 1}, {"back": 1}, [1]]
)
def test_clock_refuses_nonsense(sandbox, body):
    assert sandbox.api("POST", "clock", body).status_code == 400
    assert sandbox.clock.offset == 0


def test_clock_is_no_number_at_all(sandbox):
    headers = {"X-Sandbox": "1"}
    assert sandbox.server.post("/sandbox/api/clock", data='{"advance": NaN}', headers=headers).status_code == 400


def post_tool(sandbox, path, **form):
    token = form_of(sandbox, "/sandbox/tools")["token"]
    return sandbox.browser.post(f"/sandbox/{path}", data={"token": token} | form)


def test_clock_page(sandbox):
    post_tool(sandbox, "clock", advance="+3600")
    assert "2026-09-21T15:13:20Z" in sandbox.browser.get("/sandbox/tools").text
    for odd in ("soon", "", "1e5", "9999999999"):
        assert post_tool(sandbox, "clock", advance=odd).status_code == 422
    post_tool(sandbox, "clock", reset="1")
    assert sandbox.clock.offset == 0
    assert sandbox.browser.post("/sandbox/clock", data={"reset": "1"}).status_code == 400


# The keys


def test_keys_rotate_are_dropped_hidden_and_shown_again():
    sandbox = Sandbox(keyring=KeyRing())

    def published():
        return [key["kid"] for key in sandbox.server.get("/.well-known/jwks.json").json["keys"]]

    old = sandbox.tokens()["id_token"]
    first = published()
    rotated = sandbox.api("POST", "keys/rotate").json
    assert published() == [rotated["signing"], *first]
    new = sandbox.tokens()["id_token"]
    keys = KeySet.import_key_set(sandbox.server.get("/.well-known/jwks.json").json)
    assert jwt.decode(new, keys, algorithms=["RS256"]).header["kid"] == rotated["signing"]
    jwt.decode(old, keys, algorithms=["RS256"])
    assert post_tool(sandbox, "keys", action="drop-old").status_code == 303
    assert published() == [rotated["signing"]]
    post_tool(sandbox, "keys", action="unpublish")
    assert published() == []
    assert "id_token" in sandbox.tokens()
    assert sandbox.api("POST", "keys/publish").json["published"] is True
    assert published() == [rotated["signing"]]
    assert sandbox.api("GET", "keys").json["kids"] == published()
    assert sandbox.api("POST", "keys/melt").status_code == 400
    assert post_tool(sandbox, "keys", action="melt").status_code == 400


def test_keys_do_not_pile_up(monkeypatch):
    ring = KeyRing()
    ring.ensure()
    monkeypatch.setattr("kakaoauth.sandbox.signing.keys.make_key", lambda: ring.signing_key())
    for _ in range(MOST_KEYS + 2):
        ring.rotate()
    assert len(ring.all()) == MOST_KEYS


# The log


def test_log_names_parameters_but_no_values(sandbox):
    code = sandbox.log_in()
    tokens = sandbox.exchange(code).json
    sandbox.call("GET", "/v2/user/me", tokens["access_token"], query_string={"secure_resource": "true"})
    text = sandbox.api("GET", "log").text + sandbox.browser.get("/sandbox/tools").text
    for secret in (code, *(str(value) for value in tokens.values()), SETTINGS.client_secret):
        if len(secret) > 8:
            assert secret not in text
    newest = sandbox.api("GET", "log", query_string={"limit": "2"}).json
    assert newest[0] == {
        "at": "2026-09-21T14:13:20Z",
        "method": "GET",
        "path": "/v2/user/me",
        "status": 200,
        "query": ["secure_resource"],
        "form": [],
        "authorization": "Bearer",
        "content_type": "",
        "fault": None,
    }
    assert newest[1]["form"] == ["client_id", "client_secret", "grant_type", "code", "redirect_uri"]
    assert len(newest) == 2


def test_log_takes_no_secret_for_a_name(sandbox):
    form = "application/x-www-form-urlencoded"
    sandbox.server.post("/oauth/token", data="R1uYh6sTz8DvKq4Nw0cBj2LmEx7GfPo5", content_type=form)
    sandbox.server.get("/v2/user/me", headers={"Authorization": "R1uYh6sTz8DvKq4Nw0cBj2LmEx7GfPo5"})
    assert "R1uYh6sTz8" not in sandbox.api("GET", "log").text
    assert [entry["form"] for entry in sandbox.api("GET", "log").json] == [[], ["?"]]


def test_log_shows_faults_errors_and_large_bodies_but_not_the_tools(sandbox):
    sandbox.break_("token", "http_500", calls=1)
    sandbox.exchange("x")
    sandbox.server.post("/oauth/token", data={"x": "y" * 70_000})
    sandbox.server.get("/nowhere")
    sandbox.browser.get("/sandbox/tools")
    sandbox.browser.get("/static/icon.svg").close()
    seen = [(entry["path"], entry["status"], entry["fault"]) for entry in sandbox.api("GET", "log").json]
    assert seen == [("/nowhere", 404, None), ("/oauth/token", 413, None), ("/oauth/token", 500, "http_500")]
    assert sandbox.api("GET", "log", query_string={"limit": "all"}).status_code == 400
    assert sandbox.api("DELETE", "log").json == []


# People


def test_person_is_made_and_changed(sandbox):
    made = sandbox.api("POST", "people", {"key": "mina", "nickname": "미나", "email": "mina@example.kr"})
    assert made.status_code == 201
    assert made.json["user_id"] > 0
    assert sandbox.me("mina")["kakao_account"]["email"] == "mina@example.kr"
    token = sandbox.tokens("mina")["access_token"]
    changed = sandbox.api("POST", "people", {"key": "mina", "email_valid": False, "birthday": None})
    assert changed.status_code == 200
    assert changed.json["linked"] is True
    account = sandbox.call("GET", "/v2/user/me", token).json["kakao_account"]
    assert (account["email"], account["is_email_valid"]) == ("mina@example.kr", False)
    assert "mina" in [person["key"] for person in sandbox.api("GET", "people").json]


def test_person_without_a_key_gets_one_and_a_chosen_id_is_kept(sandbox):
    body = sandbox.api("POST", "people", {"nickname": "가", "user_id": 9223372036854775807, "picture": False}).json
    assert body["key"].startswith("made-")
    assert body["user_id"] == 9223372036854775807


def test_changed_sample_person_survives_a_restart(tmp_path):
    before = Sandbox(state_file=tmp_path / "s.json")
    before.api("POST", "people", {"key": "haneul", "email": "new@example.kr"})
    assert Sandbox(state_file=tmp_path / "s.json").state.people["haneul"].email == "new@example.kr"


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"nickname": ""},
        {"nickname": "x" * 201},
        {"nickname": 7},
        {"nickname": "가", "email": "nonsense"},
        {"nickname": "가", "birthyear": "99"},
        {"nickname": "가", "birthday": "1399x"},
        {"nickname": "가", "gender": "other"},
        {"nickname": "가", "age_range": "20-29"},
        {"nickname": "가", "email_valid": "yes"},
        {"nickname": "가", "user_id": 3902187701},
        {"nickname": "가", "user_id": 2**63},
        {"nickname": "가", "user_id": True},
        {"nickname": "가", "key": "A B"},
        {"nickname": "가", "made": True},
        {"nickname": "가", "phone_number": ""},
        {"key": "haneul", "user_id": 5},
        {"nickname": "가", "shoe_size": 270},
        {"key": 7, "nickname": "가"},
    ],
)
def test_odd_person_is_refused(sandbox, person):
    before = dict(sandbox.state.people)
    assert sandbox.api("POST", "people", person).status_code == 400
    assert sandbox.state.people == before


def test_people_are_limited(sandbox, monkeypatch):
    monkeypatch.setattr("kakaoauth.sandbox.control.api_people.MOST_PEOPLE", 1)
    assert sandbox.api("POST", "people", {"nickname": "가"}).status_code == 201
    assert sandbox.api("POST", "people", {"nickname": "나"}).status_code == 400


def test_person_leaves(sandbox):
    sandbox.log_in()
    assert sandbox.api("POST", "people/haneul/unlink", {"referrer_type": "NEVER"}).status_code == 400
    assert sandbox.api("POST", "people/haneul/unlink", {"referrer_type": "UNLINK_FROM_ADMIN"}).json == []
    assert not sandbox.state.links
    assert sandbox.api("DELETE", "people/haneul").status_code == 200
    assert sandbox.api("DELETE", "people/haneul").status_code == 400


# Who may use it


CHANGES = [
    *(("POST", path) for path in ("console", "faults", "clock", "keys/rotate", "people", "people/haneul/unlink")),
    *(("POST", path) for path in ("webhooks/send", "webhooks/1/again", "reset")),
    ("POST", "people/haneul/log-in"),
    *(("DELETE", path) for path in ("faults", "log", "people/haneul")),
    *(("POST", f"facebook/{path}") for path in ("app", "people", "tokens", "callbacks/send")),
    *(("POST", f"facebook/people/haneul/{path}") for path in ("install", "remove", "delete-data", "end-tokens")),
    *(("POST", f"naver/{path}") for path in ("app", "keys/rotate", "people", "tokens", "messages/send")),
    *(("POST", f"naver/people/haneul/{path}") for path in ("log-in", "remove", "relay")),
    ("DELETE", "naver/people/haneul"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_change_without_the_header_is_refused(sandbox, method, path):
    before = sandbox.api("GET", "state").json
    for headers in ({}, {"X-Sandbox": "0"}):
        answer = sandbox.server.open(f"/sandbox/api/{path}", method=method, json={}, headers=headers)
        assert answer.status_code == 403
        assert answer.json["error"] == "forbidden"
    assert sandbox.api("GET", "state").json == before


def test_every_change_is_among_those_above(sandbox):
    rules = {
        (method, re.sub(r"<[^>]+>", "*", rule.rule.removeprefix("/sandbox/api/")))
        for rule in sandbox.app.url_map.iter_rules()
        if rule.rule.startswith("/sandbox/api/")
        for method in rule.methods - {"GET", "HEAD", "OPTIONS"}
    }
    tried = {(method, re.sub(r"naver|haneul|(?<=/)1(?=/)|(?<=keys/)rotate", "*", path)) for method, path in CHANGES}
    assert rules == tried


@pytest.mark.parametrize("path", ["state", "console", "log", "people", "webhooks", "keys", "faults"])
def test_control_api_is_for_this_computer_and_never_shared_with_a_page(sandbox, path):
    answer = sandbox.server.get(f"/sandbox/api/{path}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]
    assert sandbox.server.get(f"/sandbox/api/{path}", headers={"Host": "evil.example"}).status_code == 403
    away = {"REMOTE_ADDR": "192.168.0.7"}
    assert sandbox.server.get(f"/sandbox/api/{path}", environ_overrides=away).status_code == 403


def test_preflight_is_not_granted(sandbox):
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Headers": "x-sandbox"}
    answer = sandbox.server.options("/sandbox/api/reset", headers=headers)
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]


def test_errors_of_the_api_are_json(sandbox):
    assert sandbox.api("GET", "nowhere").json == {"error": "not_found"}
    assert sandbox.api("DELETE", "clock").status_code == 405
    headers = {"X-Sandbox": "1"}
    assert sandbox.server.post("/sandbox/api/clock", data="{", headers=headers).status_code == 400


def test_reset_undoes_everything_but_the_keys(sandbox):
    first = sandbox.api("GET", "state").json
    sandbox.log_in()
    console(sandbox, client_secret=None, test_app=True)
    sandbox.break_("token", "http_500")
    for path, body in (("clock", {"advance": 60}), ("people", {"nickname": "가"}), ("keys/unpublish", None)):
        sandbox.api("POST", path, body)
    sandbox.api("DELETE", "people/bigid")
    assert sandbox.api("POST", "reset").json == first
    assert sandbox.api("GET", "log").json == []
    assert "bigid" in sandbox.state.people
    assert len(sandbox.state.people) == 14
    post_tool(sandbox, "clock", advance="60")
    assert post_tool(sandbox, "reset").status_code == 303
    assert sandbox.clock.offset == 0


# Logging in as an app does


def test_app_gets_tokens_without_a_page(sandbox):
    answer = sandbox.api("POST", "people/haneul/log-in", {"nonce": "n"}).json
    info = sandbox.call("GET", "/v1/user/access_token_info", answer["access_token"]).json
    assert info["app_id"] == SETTINGS.app_id
    assert "account_email" in answer["scope"]
    assert answer["id_token"]
    assert "access_token" in sandbox.refresh(answer["refresh_token"]).json


def test_app_gets_a_code_for_a_registered_address(sandbox):
    code = sandbox.api("POST", "people/haneul/log-in", {"redirect_uri": CALLBACK}).json["code"]
    assert koe(sandbox.exchange(code, redirect_uri=OTHER_CALLBACK)) == "KOE303"
    code = sandbox.api("POST", "people/haneul/log-in", {"redirect_uri": CALLBACK}).json["code"]
    assert sandbox.exchange(code).status_code == 200
    assert sandbox.api("POST", "people/haneul/log-in", {"redirect_uri": "https://evil.example/"}).status_code == 400


def test_person_in_an_app_can_keep_something_to_themselves(sandbox):
    answer = sandbox.api("POST", "people/haneul/log-in", {"without": ["account_email"]}).json
    assert "account_email" not in answer["scope"]
    assert "email" not in sandbox.call("GET", "/v2/user/me", answer["access_token"]).json["kakao_account"]


@pytest.mark.parametrize(
    ("key", "body"), [("nobody", {}), ("under14", {}), ("haneul", {"without": "x"}), ("haneul", {"other": 1})]
)
def test_odd_login_of_an_app_is_refused(sandbox, key, body):
    assert sandbox.api("POST", f"people/{key}/log-in", body).status_code == 400
