"""The people's pictures, and how they are found and made on the login page."""

import re
from urllib.parse import urlsplit

import pytest
from support.sandbox import Sandbox, page_of, request_id

from kakaoauth.sandbox.kakao.profile import picture_urls
from kakaoauth.sandbox.people.pictures import ANIMALS, DEFAULT, GROUNDS, draw, picture_of

OWN = {"picture_base": None}


def chosen(page):
    return re.findall(r'name="person" value="([\w-]+)"', page.text)


def find(sandbox, text):
    query = {"request": request_id(sandbox.authorize()), "q": text}
    return sandbox.browser.get("/oauth/authorize/step", query_string=query)


def test_addresses_that_user_me_and_id_token_tell_have_a_picture_behind_them() -> None:
    sandbox = Sandbox(**OWN)
    tokens = sandbox.tokens(scope="openid,profile_image")
    account = sandbox.call("GET", "/v2/user/me", tokens["access_token"]).json["kakao_account"]["profile"]
    userinfo = sandbox.call("GET", "/v1/oidc/userinfo", tokens["access_token"]).json["picture"]
    assert {account["profile_image_url"], account["thumbnail_image_url"]} == {userinfo}
    assert userinfo.startswith("http://127.0.0.1:8001/")
    answer = sandbox.browser.get(urlsplit(userinfo).path)
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml")
    assert "public" in answer.headers["Cache-Control"]
    assert answer.text.startswith("<svg ")


def test_secure_addresses_are_not_promised_where_there_is_no_https() -> None:
    sandbox = Sandbox(**OWN)
    answer = sandbox.call("GET", "/v2/user/me?secure_resource=true", sandbox.tokens()["access_token"])
    assert answer.json["kakao_account"]["profile"]["profile_image_url"].startswith("http://127.0.0.1:8001/")


def test_default_picture_can_be_told_by_its_address() -> None:
    sandbox = Sandbox(**OWN)
    address = picture_urls("defaultpicture", False, sandbox.settings)[0]
    assert "account_images/default_profile" in address
    assert sandbox.browser.get(urlsplit(address).path).status_code == 200


def test_addresses_look_like_kakaos_unless_asked_otherwise(sandbox: Sandbox) -> None:
    assert picture_urls("haneul", True, sandbox.settings)[1].startswith("http://k.kakaocdn.net/dn/")


def test_every_animal_is_drawn_on_every_ground() -> None:
    for animal in ANIMALS:
        for ground in range(len(GROUNDS)):
            assert (draw(f"{animal}-{ground}.svg") or "").endswith("</svg>")
    assert draw(DEFAULT)


@pytest.mark.parametrize("name", ["dog-1.svg", "fox-9.svg", "fox-1.png", "fox.svg", "../sandbox.css"])
def test_there_are_no_other_pictures(sandbox: Sandbox, name: str) -> None:
    assert draw(name) is None
    assert sandbox.browser.get(f"/sandbox/pictures/{name}").status_code == 404


def test_somebody_made_has_a_picture_that_stays() -> None:
    assert picture_of("made-1234") == picture_of("made-1234")
    assert draw(picture_of("made-1234"))
    assert len({picture_of(f"made-{number}") for number in range(60)}) > 20


def test_login_page_shows_the_faces_and_begins_with_somebody_new(sandbox: Sandbox) -> None:
    text = sandbox.authorize().text
    assert text.index("/oauth/authorize/new-person") < text.index('name="q"') < text.index('value="haneul"')
    faces = re.findall(r'<img class="face" src="(/sandbox/pictures/[^"]+)"', text)
    assert len(faces) == len(sandbox.state.people)
    assert f"/sandbox/pictures/{DEFAULT}" in faces
    for face in set(faces):
        assert sandbox.browser.get(face).status_code == 200


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("수달", ["noemail"]),
        ("HANEUL@", ["haneul"]),
        ("\u1109\u116e\u1103\u1161\u11af", ["noemail"]),  # as macOS types it
        ("twins 가", ["twin-a", "twin-b"]),
        ("1376016924429759228", ["bigid"]),
        ("nobody at all", []),
    ],
)
def test_people_are_found_by_what_stands_beside_them(sandbox: Sandbox, text: str, people: list[str]) -> None:
    assert chosen(find(sandbox, text)) == people


def test_search_goes_on_to_the_login_and_can_be_left(sandbox: Sandbox) -> None:
    found = find(sandbox, '수달"><b>')
    assert page_of(found) == "chooser"
    assert "<b>" not in found.text
    assert "찾는 사람이 없어요." in found.text
    everybody = sandbox.browser.get(re.search(r'href="(/oauth/authorize/step\?[^"]+)"', found.text)[1])
    assert len(chosen(everybody)) == len(sandbox.state.people)
    assert page_of(sandbox.enter(find(sandbox, "수달"), "noemail")) == "consent"
