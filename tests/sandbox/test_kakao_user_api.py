"""The user API: what is told, to whom, and in which words it is refused."""

import json

import pytest
from support.sandbox import ALL, EVERY_ITEM, SETTINGS, Sandbox, refused

from kakaoauth.sandbox import ConsentItem

NICKNAME_ONLY = (ConsentItem("profile_nickname", "required"),)


@pytest.fixture
def every_item():
    return Sandbox(consent_items=EVERY_ITEM)


def test_everything_agreed(sandbox):
    body = sandbox.me("haneul")
    assert list(body) == ["id", "connected_at", "properties", "kakao_account"]
    assert body["connected_at"] == "2026-09-21T14:13:20Z"
    profile = body["kakao_account"].pop("profile")
    assert body["kakao_account"] == {
        "profile_nickname_needs_agreement": False,
        "profile_image_needs_agreement": False,
        "has_email": True,
        "email_needs_agreement": False,
        "is_email_valid": True,
        "is_email_verified": True,
        "email": "haneul@example.kr",
    }
    assert (profile["nickname"], profile["is_default_nickname"], profile["is_default_image"]) == (
        "하늘다람쥐",
        False,
        False,
    )
    assert body["properties"] == {
        "nickname": "하늘다람쥐",
        "profile_image": profile["profile_image_url"],
        "thumbnail_image": profile["thumbnail_image_url"],
    }


def test_item_not_configured_leaves_no_trace():
    body = Sandbox(consent_items=NICKNAME_ONLY).me()
    assert body["kakao_account"] == {
        "profile_nickname_needs_agreement": False,
        "profile": {"nickname": "하늘다람쥐", "is_default_nickname": False},
    }


def test_item_not_agreed_shows_only_that_it_needs_agreement(sandbox):
    account = sandbox.me("refuses", items=())["kakao_account"]
    assert account == {
        "profile_nickname_needs_agreement": False,
        "profile_image_needs_agreement": True,
        "profile": {"nickname": "조심스런고슴도치", "is_default_nickname": False},
        "has_email": True,
        "email_needs_agreement": True,
    }


def test_agreed_but_the_account_has_no_such_data(every_item):
    account = every_item.me("noemail")["kakao_account"]
    for name in ("email", "age_range", "birthyear", "birthday", "gender", "phone_number"):
        assert account[f"{name}_needs_agreement"] is False
        assert account[f"has_{name}"] is False
        assert name not in account
    assert "is_email_valid" not in account
    assert account["ci_needs_agreement"] is False


@pytest.mark.parametrize(
    ("person", "valid", "verified"), [("haneul", True, True), ("unverified", True, False), ("invalid", False, True)]
)
def test_flags_beside_the_email(sandbox, person, valid, verified):
    account = sandbox.me(person)["kakao_account"]
    assert (account["is_email_valid"], account["is_email_verified"]) == (valid, verified)
    assert account["email"]


def test_twins_share_one_address(sandbox):
    one, other = sandbox.me("twin-a"), Sandbox().me("twin-b")
    assert one["kakao_account"]["email"] == other["kakao_account"]["email"]
    assert one["id"] != other["id"]


def test_personal_items(every_item):
    account = every_item.me("haneul")["kakao_account"]
    assert account["name"] == "김하늘"
    assert (account["gender"], account["age_range"]) == ("female", "20~29")
    assert (account["birthyear"], account["birthday"], account["birthday_type"]) == ("1999", "0714", "SOLAR")
    assert account["phone_number"].startswith("+82 10-")


def test_default_nickname_and_default_picture(sandbox):
    profile = sandbox.me("defaultname")["kakao_account"]["profile"]
    assert (profile["nickname"], profile["is_default_nickname"]) == ("닉네임을 등록해주세요", True)
    profile = Sandbox().me("defaultpicture")["kakao_account"]["profile"]
    assert profile["is_default_image"] is True
    assert "default_profile" in profile["profile_image_url"]


def test_old_combined_profile_item():
    account = Sandbox(consent_items=(ConsentItem("profile", "required"),)).me()["kakao_account"]
    assert account["profile_needs_agreement"] is False
    assert {"nickname", "profile_image_url"} <= set(account["profile"])


def test_deprecated_fields_can_be_switched_off():
    body = Sandbox(legacy_fields=False).me()
    assert "properties" not in body
    assert "has_email" not in body["kakao_account"]


def test_19_digit_id_is_an_exact_json_number(sandbox):
    token = sandbox.tokens("bigid")["access_token"]
    for path in ("/v2/user/me", "/v1/user/access_token_info", "/v2/user/scopes"):
        text = sandbox.call("GET", path, token).text
        assert text.startswith('{"id":1376016924429759228,')
        assert json.loads(text)["id"] == 1376016924429759228


def test_preregistered_person_shows_little_until_signed_up():
    sandbox = Sandbox(consent_items=EVERY_ITEM)
    token = sandbox.tokens("prereg")["access_token"]
    body = sandbox.call("GET", "/v2/user/me", token).json
    assert body["has_signed_up"] is False
    assert "properties" not in body
    assert not [name for name in body["kakao_account"] if "gender" in name]
    assert body["kakao_account"]["email"] == "prereg@example.com"
    assert sandbox.call("POST", "/v1/user/signup", token).status_code == 200
    body = sandbox.call("GET", "/v2/user/me", token).json
    assert body["has_signed_up"] is True
    assert body["kakao_account"]["gender"] == "female"
    assert refused(sandbox.call("POST", "/v1/user/signup", token), 400, -102)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("secure", "scheme"), [(None, "http"), ("false", "http"), ("true", "https")])
@pytest.mark.parametrize("person", ["haneul", "defaultpicture"])
def test_pictures_are_http_unless_secure_ones_are_asked_for(sandbox, method, secure, scheme, person):
    place = "query_string" if method == "GET" else "data"
    sent = {} if secure is None else {"secure_resource": secure}
    token = sandbox.tokens(person)["access_token"]
    body = sandbox.call(method, "/v2/user/me", token, **{place: sent}).json
    profile = body["kakao_account"]["profile"]
    for url in (profile["profile_image_url"], profile["thumbnail_image_url"], body["properties"]["profile_image"]):
        assert url.startswith(f"{scheme}://")
        assert not (scheme == "https" and "http://" in url)


@pytest.mark.parametrize(
    ("keys", "account", "properties"),
    [
        (
            ["kakao_account.email"],
            {"has_email", "email_needs_agreement", "is_email_valid", "is_email_verified", "email"},
            None,
        ),
        (
            ["kakao_account.profile"],
            {"profile_nickname_needs_agreement", "profile_image_needs_agreement", "profile"},
            None,
        ),
        (["properties.nickname"], None, {"nickname"}),
        (["properties."], None, {"nickname", "profile_image", "thumbnail_image"}),
        ([], None, None),
    ],
)
def test_property_keys(sandbox, keys, account, properties):
    token = sandbox.tokens()["access_token"]
    body = sandbox.call("GET", "/v2/user/me", token, query_string={"property_keys": json.dumps(keys)}).json
    assert {"id", "connected_at"} <= set(body)
    assert set(body.get("kakao_account", {})) == (account or set())
    assert set(body.get("properties", {})) == (properties or set())


def test_property_keys_for_everything(sandbox):
    token = sandbox.tokens()["access_token"]
    keys = json.dumps(["kakao_account.", "properties."])
    everything = sandbox.call("POST", "/v2/user/me", token, data={"property_keys": keys}).json
    assert everything == sandbox.call("GET", "/v2/user/me", token).json


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"property_keys": "kakao_account.email"}, -2),
        ({"property_keys": '{"a":1}'}, -2),
        ({"property_keys": "[1]"}, -2),
        ({"property_keys": '["properties.grade"]'}, -201),
        ({"secure_resource": "yes"}, -2),
    ],
)
def test_odd_parameters(sandbox, sent, code):
    token = sandbox.tokens()["access_token"]
    assert refused(sandbox.call("GET", "/v2/user/me", token, query_string=sent), 400, code)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer made-up",
        "Bearer Bearer x",
        "Basic eDp5",
        "KakaoAK wrong",
        "KakaoAK " + SETTINGS.client_id,
        "Bearer 한글",
    ],
)
def test_bad_credentials(sandbox, header):
    headers = {} if header is None else {"Authorization": header}
    answer = sandbox.server.get("/v2/user/me", headers=headers)
    assert refused(answer, 401, -401)
    assert answer.headers["WWW-Authenticate"] == "Bearer error=invalid_token"


def test_expired_token_is_told_so_then_forgotten(sandbox):
    token = sandbox.tokens()["access_token"]
    sandbox.clock.advance(21599)
    answer = sandbox.call("GET", "/v2/user/me", token)
    assert refused(answer, 401, -401)
    assert answer.json["msg"] == "this access token is already expired"


def test_code_is_no_token(sandbox):
    assert refused(sandbox.call("GET", "/v2/user/me", sandbox.log_in()), 401, -401)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_admin_key_reads_any_linked_user(sandbox, method):
    sandbox.tokens("bigid")
    assert sandbox.admin(method, "/v2/user/me", 1376016924429759228).json["id"] == 1376016924429759228
    assert refused(sandbox.admin(method, "/v2/user/me", 1), 400, -101)
    assert refused(sandbox.admin(method, "/v2/user/me"), 400, -2)


@pytest.mark.parametrize("target", ["", "x", "1.5", "-1", "9223372036854775808", "１"])
def test_admin_key_with_an_odd_target(sandbox, target):
    answer = sandbox.admin("POST", "/v2/user/me", target_id_type="user_id", target_id=target)
    assert refused(answer, 400, -2)


def test_token_info(sandbox):
    token = sandbox.tokens()["access_token"]
    sandbox.clock.advance(99)
    answer = sandbox.call("GET", "/v1/user/access_token_info", token)
    assert answer.json == {"id": 3902187701, "expires_in": 21500, "app_id": 654321}


def test_token_info_refusals(sandbox):
    info = "/v1/user/access_token_info"
    assert refused(sandbox.server.get(info), 400, -2)
    assert refused(sandbox.admin("GET", info, 3902187701), 400, -2)
    assert refused(sandbox.call("GET", info, "x" * 513), 400, -2)
    assert refused(sandbox.call("GET", info, "made-up"), 401, -401)


def test_unknown_address_and_method_in_kapis_shape(sandbox):
    assert refused(sandbox.server.get("/v1/nothing"), 404, -2)
    assert refused(sandbox.server.get("/v1/user/logout"), 405, -2)


def test_every_item_reaches_the_account(every_item):
    assert set(every_item.log_in(items=ALL) and every_item.state.links["haneul"].agreed) == {
        item.id for item in EVERY_ITEM
    }
