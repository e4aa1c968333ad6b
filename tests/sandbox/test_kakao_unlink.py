"""The end of things: logout, unlink, withdrawn consents; and the list of who is linked."""

import pytest
from support.sandbox import Sandbox, page_of, refused, returned

from kakaoauth.sandbox import ConsentItem

NICKNAME_ONLY = (ConsentItem("profile_nickname", "required"),)


def test_logout_ends_this_login_only(sandbox):
    one, two = sandbox.tokens(), sandbox.tokens()
    assert sandbox.call("POST", "/v1/user/logout", one["access_token"]).json == {"id": 3902187701}
    assert refused(sandbox.call("GET", "/v2/user/me", one["access_token"]), 401, -401)
    assert sandbox.refresh(one["refresh_token"]).json["error_code"] == "KOE322"
    assert sandbox.call("GET", "/v2/user/me", two["access_token"]).status_code == 200
    assert "code" in returned(sandbox.authorize())


def test_logout_by_admin_key_ends_all(sandbox):
    one, two = sandbox.tokens(), sandbox.tokens()
    assert sandbox.admin("POST", "/v1/user/logout", 3902187701).json == {"id": 3902187701}
    for tokens in (one, two):
        assert refused(sandbox.call("GET", "/v2/user/me", tokens["access_token"]), 401, -401)
    assert "haneul" in sandbox.state.links


@pytest.mark.parametrize("by_admin", [False, True])
def test_unlink_withdraws_consents_and_kills_tokens(sandbox, by_admin):
    tokens = sandbox.tokens()
    answer = (
        sandbox.admin("POST", "/v1/user/unlink", 3902187701)
        if by_admin
        else sandbox.call("POST", "/v1/user/unlink", tokens["access_token"])
    )
    assert answer.json == {"id": 3902187701}
    assert refused(sandbox.call("GET", "/v2/user/me", tokens["access_token"]), 401, -401)
    assert sandbox.refresh(tokens["refresh_token"]).json["error_code"] == "KOE322"
    assert refused(sandbox.admin("POST", "/v1/user/unlink", 3902187701), 400, -101)
    assert page_of(sandbox.authorize()) == "consent"


def test_same_id_after_linking_again(sandbox):
    first = sandbox.me()
    sandbox.state.unlink("haneul")
    sandbox.clock.advance(60)
    second = sandbox.me()
    assert first["id"] == second["id"]
    assert first["connected_at"] != second["connected_at"]


def test_scopes(sandbox):
    token = sandbox.tokens(items=("account_email",))["access_token"]
    body = sandbox.call("GET", "/v2/user/scopes", token).json
    assert body["id"] == 3902187701
    assert body["scopes"][0] == {
        "id": "profile_nickname",
        "display_name": "닉네임",
        "type": "PRIVACY",
        "using": True,
        "agreed": True,
        "revocable": False,
    }
    by_id = {scope["id"]: scope for scope in body["scopes"]}
    assert by_id["account_email"]["revocable"] is True
    assert by_id["profile_image"]["agreed"] is False
    assert "revocable" not in by_id["profile_image"]
    some = sandbox.call("GET", "/v2/user/scopes", token, query_string={"scopes": '["account_email"]'}).json
    assert [scope["id"] for scope in some["scopes"]] == ["account_email"]
    assert refused(sandbox.call("GET", "/v2/user/scopes", token, query_string={"scopes": '["email"]'}), 400, -2)


def test_revoking_a_scope(sandbox):
    token = sandbox.tokens()["access_token"]
    answer = sandbox.call("POST", "/v2/user/revoke/scopes", token, data={"scopes": '["account_email"]'})
    assert [(scope["id"], scope["agreed"]) for scope in answer.json["scopes"]] == [("account_email", False)]
    account = sandbox.call("GET", "/v2/user/me", token).json["kakao_account"]
    assert account["email_needs_agreement"] is True
    assert "email" not in account
    assert page_of(sandbox.authorize(scope="account_email")) == "consent"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ('["profile_nickname"]', 403, -3),
        ('["email"]', 400, -2),
        ("[]", 400, -2),
        ("", 400, -2),
        ("account_email", 400, -2),
    ],
)
def test_scopes_that_can_not_be_revoked(sandbox, sent, status, code):
    token = sandbox.tokens()["access_token"]
    assert refused(sandbox.call("POST", "/v2/user/revoke/scopes", token, data={"scopes": sent}), status, code)


def test_item_dropped_from_the_console_stays_listed(tmp_path):
    Sandbox(state_file=tmp_path / "s.json").log_in()
    later = Sandbox(state_file=tmp_path / "s.json", consent_items=NICKNAME_ONLY)
    scopes = {scope["id"]: scope for scope in later.admin("GET", "/v2/user/scopes", 3902187701).json["scopes"]}
    assert (scopes["account_email"]["using"], scopes["account_email"]["agreed"]) == (False, True)
    answer = later.admin("POST", "/v2/user/revoke/scopes", 3902187701, scopes='["account_email"]')
    assert answer.json["scopes"][0]["agreed"] is False


@pytest.mark.parametrize("wanted", ["friends", "name"])
def test_item_that_is_not_configured_and_was_never_agreed_to_is_not_listed(sandbox, wanted):
    token = sandbox.tokens()["access_token"]
    listed = sandbox.call("GET", "/v2/user/scopes", token).json["scopes"]
    assert {scope["id"] for scope in listed} == {"profile_nickname", "profile_image", "account_email"}
    both = {"scopes": f'["{wanted}","account_email"]'}
    answer = sandbox.call("GET", "/v2/user/scopes", token, query_string=both)
    assert [scope["id"] for scope in answer.json["scopes"]] == ["account_email"]
    alone = sandbox.call("GET", "/v2/user/scopes", token, query_string={"scopes": f'["{wanted}"]'})
    assert refused(alone, 400, -2)


def test_item_withdrawn_after_the_console_dropped_it_is_not_listed_any_more(tmp_path):
    Sandbox(state_file=tmp_path / "s.json").log_in()
    later = Sandbox(state_file=tmp_path / "s.json", consent_items=NICKNAME_ONLY)
    withdrawn = later.admin("POST", "/v2/user/revoke/scopes", 3902187701, scopes='["account_email"]')
    assert [(scope["id"], scope["agreed"]) for scope in withdrawn.json["scopes"]] == [("account_email", False)]
    left = later.admin("GET", "/v2/user/scopes", 3902187701).json["scopes"]
    assert "account_email" not in {scope["id"] for scope in left}
    assert refused(later.admin("GET", "/v2/user/scopes", 3902187701, scopes='["account_email"]'), 400, -2)


def test_id_list_in_pages(sandbox):
    for person in ("haneul", "bigid", "noemail"):
        sandbox.log_in(person, prompt="login")
    body = sandbox.admin("GET", "/v1/user/ids").json
    assert body == {"elements": [3902187701, 3902187702, 1376016924429759228], "before_url": None, "after_url": None}
    body = sandbox.admin("GET", "/v1/user/ids", limit="2").json
    assert "from_id=1376016924429759228" in body["after_url"]
    body = sandbox.admin("GET", "/v1/user/ids", limit="2", from_id="1376016924429759228").json
    assert body["elements"] == [1376016924429759228]
    assert "from_id=3902187701" in body["before_url"]
    assert sandbox.admin("GET", "/v1/user/ids", order="desc", from_id="3902187702").json["elements"] == [
        3902187702,
        3902187701,
    ]


def test_id_list_is_for_the_admin_key_and_100_calls_a_minute(sandbox):
    token = sandbox.tokens()["access_token"]
    assert refused(sandbox.call("GET", "/v1/user/ids", token), 401, -401)
    for limit in ("0", "101", "x"):
        assert refused(sandbox.admin("GET", "/v1/user/ids", limit=limit), 400, -2)
    for _ in range(97):
        sandbox.admin("GET", "/v1/user/ids")
    assert refused(sandbox.admin("GET", "/v1/user/ids"), 429, -10)
    sandbox.clock.advance(60)
    assert sandbox.admin("GET", "/v1/user/ids").status_code == 200
