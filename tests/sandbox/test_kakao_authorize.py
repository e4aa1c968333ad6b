"""GET /oauth/authorize and the pages behind it."""

import re

import pytest
from support.sandbox import CALLBACK, SETTINGS, Sandbox, page_of, request_id, returned

from kakaoauth.sandbox import ConsentItem

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
EMAIL_ONLY = (ConsentItem("profile_nickname", "required"), ConsentItem("account_email"))


@pytest.mark.parametrize(
    ("query", "code", "shown"),
    [
        ({"redirect_uri": CALLBACK + "x"}, "KOE006", CALLBACK + "x"),
        ({"redirect_uri": CALLBACK.rstrip("/")}, "KOE006", CALLBACK.rstrip("/")),
        ({"redirect_uri": CALLBACK.replace("http:", "https:")}, "KOE006", "https:"),
        ({"client_id": "somebody-else"}, "KOE101", "somebody-else"),
        ({"channel_public_id": "_abc"}, "KOE102", "PLUS_FRIENDS"),
        ({"response_type": "id_token"}, "KOE201", "Unsupported response type: id_token"),
        ({"response_type": "token"}, "KOE202", "token"),
        ({"prompt": "surprise"}, "KOE204", "surprise"),
        ({"prompt": "none,login"}, "KOE204", "none,login"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "KOE204", "plain"),
        ({"code_challenge": CHALLENGE}, "KOE204", "plain"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "KOE204", "code_challenge"),
        ({"code_challenge_method": "S256"}, "KOE204", "code_challenge"),
        ({"scope": "account_email,phone_number"}, "KOE205", "설정하지 않은 동의 항목: phone_number"),
        ({"scope": "openid nonsense"}, "KOE205", "nonsense"),
        ({"client_id": None}, "KOE207", "client_id"),
        ({"redirect_uri": None}, "KOE207", "redirect_uri"),
        ({"response_type": None}, "KOE207", "response_type"),
    ],
)
def test_configuration_error_is_a_page_and_never_a_redirect(sandbox, query, code, shown):
    answer = sandbox.authorize(**query)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert page_of(answer) == "error"
    assert re.search(rf"<h1>(앱 관리자 설정 오류|잘못된 요청) \({code}\)</h1>", answer.text)
    assert shown in answer.text


@pytest.mark.parametrize(
    ("query", "headline"),
    [({"redirect_uri": CALLBACK + "x"}, "앱 관리자 설정 오류 (KOE006)"), ({"scope": "name"}, "잘못된 요청 (KOE205)")],
)
def test_headlines_are_worded_as_on_the_real_pages(sandbox, query, headline):
    assert headline in sandbox.authorize(**query).text


def test_doubled_parameter_is_refused(sandbox):
    answer = sandbox.browser.get(
        f"/oauth/authorize?client_id={SETTINGS.client_id}&redirect_uri={CALLBACK}&response_type=code&state=a&state=b"
    )
    assert answer.status_code == 400
    assert "KOE001" in answer.text


def test_openid_scope_is_unknown_while_openid_connect_is_off():
    assert "KOE205" in Sandbox(oidc=False).authorize(scope="openid").text


def test_error_page_escapes_what_was_sent(sandbox):
    answer = sandbox.authorize(redirect_uri="http://x/<script>alert(1)</script>")
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_whole_walk_ends_at_the_site_with_code_and_state(sandbox):
    consent = sandbox.enter(sandbox.authorize(state="ünï &=?+ %/"), "haneul")
    answer = sandbox.decide(consent, "account_email")
    assert answer.location.startswith(f"{CALLBACK}?code=")
    assert answer.data == b""
    assert returned(answer)["state"] == "ünï &=?+ %/"
    assert set(sandbox.state.links["haneul"].agreed) == {"profile_nickname", "account_email"}


def test_state_that_is_no_utf8_returns_unchanged(sandbox):
    answer = sandbox.browser.get(
        f"/oauth/authorize?client_id={SETTINGS.client_id}&redirect_uri={CALLBACK}"
        "&response_type=code&prompt=none&state=%FF%20%ED%95%9C"
    )
    assert answer.location.endswith("&state=%FF%20%ED%95%9C")


@pytest.mark.parametrize("sent", [None, ""])
def test_missing_state_stays_missing_and_empty_stays_empty(sandbox, sent):
    assert returned(sandbox.authorize(prompt="none", state=sent)).get("state") == sent


def test_cancel_returns_access_denied(sandbox):
    answer = sandbox.decide(sandbox.enter(sandbox.authorize(), "haneul"), decision="cancel")
    assert returned(answer) == {"error": "access_denied", "error_description": "User denied access", "state": "s-1"}
    assert "error_description=User%20denied%20access" in answer.location
    assert not sandbox.state.links


def test_under_14_is_refused_before_any_consent(sandbox):
    answer = sandbox.enter(sandbox.authorize(), "under14")
    assert returned(answer)["error"] == "access_denied"
    assert returned(answer)["error_description"] == "Not allowed under age 14"
    again = sandbox.authorize()
    assert returned(again)["error_description"] == "Not allowed under age 14"


def test_linked_person_with_a_session_gets_a_code_at_once(sandbox):
    sandbox.log_in()
    assert "code" in returned(sandbox.authorize())


def test_linked_person_without_a_session_logs_in_but_is_not_asked_again(sandbox):
    sandbox.log_in(items=())
    sandbox.browser = sandbox.app.test_client()
    assert "code" in returned(sandbox.enter(sandbox.authorize(), "haneul"))


def test_account_session_ends_after_a_day_however_much_it_is_used(sandbox):
    sandbox.log_in()
    sandbox.clock.advance(86399)
    assert "code" in returned(sandbox.authorize())
    sandbox.clock.advance(1)
    assert page_of(sandbox.authorize()) == "chooser"


def test_consent_page_locks_required_items_and_offers_optional_ones(sandbox):
    consent = sandbox.enter(sandbox.authorize(), "haneul")
    boxes = dict(re.findall(r'name="item" value="(\w+)" checked( disabled)?', consent.text))
    assert boxes == {"profile_nickname": " disabled", "profile_image": "", "account_email": ""}
    assert "동의하고 계속하기" in consent.text
    assert "취소" in consent.text


def test_required_item_can_not_be_refused_and_foreign_item_not_added(sandbox):
    sandbox.decide(sandbox.enter(sandbox.authorize(), "haneul"), "phone_number")
    assert set(sandbox.state.links["haneul"].agreed) == {"profile_nickname"}


@pytest.mark.parametrize("scope", ["account_email", "openid,account_email", "openid account_email"])
def test_additional_consent_asks_only_for_the_named_item(sandbox, scope):
    sandbox.log_in(items=())
    consent = sandbox.authorize(scope=scope)
    assert page_of(consent) == "consent"
    assert re.findall(r'name="item" value="(\w+)"', consent.text) == ["account_email"]
    assert "code" in returned(sandbox.decide(consent, "account_email"))
    assert "code" in returned(sandbox.authorize(scope=scope))


def test_refused_additional_consent_leaves_the_link_as_it_was(sandbox):
    sandbox.log_in(items=())
    sandbox.decide(sandbox.authorize(scope="account_email"), decision="cancel")
    assert set(sandbox.state.links["haneul"].agreed) == {"profile_nickname"}


def test_first_link_with_scope_asks_required_and_named_items(sandbox):
    consent = sandbox.enter(sandbox.authorize(scope="account_email"), "haneul")
    assert re.findall(r'name="item" value="(\w+)"', consent.text) == ["profile_nickname", "account_email"]


def test_first_link_shows_the_page_even_when_nothing_is_asked():
    sandbox = Sandbox(consent_items=())
    assert page_of(sandbox.enter(sandbox.authorize(), "haneul")) == "consent"


@pytest.mark.parametrize("prompt", ["login", "select_account", "create", "login,select_account", "login create"])
def test_prompt_shows_the_chooser_in_spite_of_a_session(sandbox, prompt):
    sandbox.log_in()
    chooser = sandbox.authorize(prompt=prompt)
    assert page_of(chooser) == "chooser"
    assert page_of(sandbox.enter(chooser, "bigid")) == "consent"


def test_prompt_create_opens_the_form(sandbox):
    assert "<details open>" in sandbox.authorize(prompt="create").text
    assert "<details>" in sandbox.authorize().text


def test_prompt_none_without_login(sandbox):
    assert returned(sandbox.authorize(prompt="none")) == {
        "error": "login_required",
        "error_description": "user authentication required.",
        "state": "s-1",
    }


def test_prompt_none_without_consent(sandbox):
    sandbox.enter(sandbox.authorize(), "haneul")
    assert returned(sandbox.authorize(prompt="none")) == {
        "error": "consent_required",
        "error_description": "user consent required.",
        "state": "s-1",
    }


def test_prompt_none_for_a_new_item(sandbox):
    sandbox.log_in(items=())
    assert "code" in returned(sandbox.authorize(prompt="none"))
    assert returned(sandbox.authorize(prompt="none", scope="account_email"))["error"] == "consent_required"


def test_prompt_none_goes_with_a_login_hint(sandbox):
    sandbox.log_in()
    assert "code" in returned(sandbox.authorize(prompt="none", login_hint="haneul@example.kr"))


def test_service_terms_and_old_parameters_are_accepted_and_ignored(sandbox):
    query = {"service_terms": "terms_1,terms_2", "auth_type": "reauthenticate", "ka": "sdk/2.0", "is_popup": "false"}
    assert page_of(sandbox.authorize(**query)) == "chooser"
    sandbox.log_in()
    assert "code" in returned(sandbox.authorize(**query))


def test_certificate_login_is_a_product_of_its_own(sandbox):
    assert "KOE204" in sandbox.authorize(prompt="cert").text


@pytest.mark.parametrize(
    ("scope", "id_token"), [("openid,account_email", True), ("account_email", False), ("openid", True)]
)
def test_additional_consent_brings_an_id_token_only_with_openid(sandbox, scope, id_token):
    sandbox.log_in(items=())
    tokens = sandbox.tokens(scope=scope)
    assert ("id_token" in tokens) == id_token
    assert ("openid" in tokens["scope"].split()) == id_token


def test_login_hint_puts_its_people_first(sandbox):
    chooser = sandbox.authorize(login_hint="Twins@example.com")
    assert re.findall(r'name="person" value="([\w-]+)"', chooser.text)[:2] == ["twin-a", "twin-b"]


def test_unknown_login_hint_fills_the_form(sandbox):
    assert 'value="new@example.net"' in sandbox.authorize(login_hint="new@example.net").text


def test_request_belongs_to_the_browser_that_began_it(sandbox):
    consent = sandbox.enter(sandbox.authorize(), "haneul")
    stranger = sandbox.app.test_client()
    stranger.get("/")
    data = {"request": request_id(consent), "decision": "agree", "person": "haneul"}
    for path in ("person", "new-person", "consent"):
        answer = stranger.post(f"/oauth/authorize/{path}", data=data)
        assert answer.status_code == 400
        assert page_of(answer) == "error"
    assert not sandbox.state.links


def test_double_click_gets_the_same_answer_but_a_late_repeat_does_not(sandbox):
    consent = sandbox.enter(sandbox.authorize(), "haneul")
    first = sandbox.decide(consent, "account_email")
    assert sandbox.decide(consent, "account_email").location == first.location
    sandbox.clock.advance(6)
    assert sandbox.decide(consent, "account_email").status_code == 400


def test_ended_request_can_not_be_continued(sandbox):
    chooser = sandbox.authorize()
    sandbox.decide(sandbox.enter(chooser, "haneul"))
    assert sandbox.choose(chooser, "bigid").status_code == 400


def test_pending_request_goes_stale(sandbox):
    chooser = sandbox.authorize()
    sandbox.clock.advance(3601)
    assert sandbox.choose(chooser, "haneul").status_code == 400


def test_consent_without_a_login_is_refused(sandbox):
    chooser = sandbox.authorize()
    answer = sandbox.browser.post(
        "/oauth/authorize/consent", data={"request": request_id(chooser), "decision": "agree"}
    )
    assert answer.status_code == 400


def test_odd_answers_are_refused(sandbox):
    chooser = sandbox.authorize()
    assert sandbox.choose(chooser, "nobody").status_code == 400
    assert sandbox.decide(sandbox.enter(chooser, "haneul"), decision="maybe").status_code == 400


def test_item_made_required_later_is_asked_for_without_a_scope(tmp_path):
    before = Sandbox(state_file=tmp_path / "s.json", consent_items=EMAIL_ONLY)
    before.log_in(items=())
    after = Sandbox(
        state_file=tmp_path / "s.json", consent_items=(EMAIL_ONLY[0], ConsentItem("account_email", "required"))
    )
    consent = after.enter(after.authorize(), "haneul")
    assert re.findall(r'name="item" value="(\w+)" checked disabled', consent.text) == ["account_email"]


def test_flood_of_requests_keeps_memory_bounded(sandbox, monkeypatch):
    monkeypatch.setattr("kakaoauth.sandbox.state.pending.KEPT", 3)
    first, second = sandbox.authorize(), sandbox.authorize()
    sandbox.authorize()
    sandbox.authorize()
    assert sandbox.choose(first, "haneul").status_code == 400
    assert sandbox.choose(second, "haneul").status_code == 303
