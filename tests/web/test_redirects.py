"""Where a login may send a browser."""

import pytest
from flask import Flask

from kakaoauth.web.redirects import safe_next

BAD = [
    *["//evil.example", "///evil.example", "////evil.example"],
    *["/\\evil.example", "\\\\evil.example", "/\\/evil.example", "/%5Cevil.example", "/%255Cevil.example"],
    *["https://evil.example", "HTTPS:evil.example", "http:///evil.example", "http:/\\evil.example"],
    "http:evil.example",
    *["javascript:alert(1)", "data:text/html,x", "vbscript:x", "\njavascript:alert(1)", "\x08//evil.example"],
    *["/\t/evil.example", "/\n/evil.example", "//\tevil.example", "/%09/evil.example", "/%0d%0aSet-Cookie:x=1"],
    *["https://localhost@evil.example", "https://localhost:80@evil.example", "https://localhost.evil.example"],
    *["//localhost%2f@evil.example", "%20//evil.example", " //evil.example", " /users/"],
    *["/%2f/evil.example", "/%2fevil.example", "/%2e%2e//evil.example", "/%252f/evil.example", "/users/../..//evil"],
    *["/／evil.example", "／／evil.example", "/users/\u202e/", "/users/%e2%80%ae", "/\u200b/evil.example"],
    "/\u2028/evil",
    *["", "#x", "?x", "/" + "a" * 5000, "/nowhere/", "users/", "."],
    *["/kakao/login/", "/kakao/login/callback/?code=x", "/kakao/logout/", "/healthz", "/kakaoauth/style.css"],
    *["https://front.example.evil.example/", "https://front.example:444/", "http://front.example/"],
    *["https://x@front.example/", "https://front.example@evil.example/", "https://[", "null"],
]
GOOD = [
    *["/", "/users/", "/users/me/", "/users/?page=2&sort=-name#row", "/users?page=2&sort=-name#row", "/users/7/"],
    *["/?next=//evil.example", "/users/?q=%EB%AF%BC%EC%A7%80", "/users/?q=a%20b"],
    *["https://front.example", "https://front.example/welcome?a=b#c"],
]


@pytest.fixture
def app(make_app) -> Flask:  # type: ignore[no-untyped-def]
    return make_app(KAKAOAUTH_FRONTEND_ORIGINS="https://front.example, http://localhost:5173")


@pytest.mark.parametrize("target", BAD)
def test_bad_target_is_the_first_page(app: Flask, target: str) -> None:
    with app.test_request_context("/"):
        assert safe_next(target) == "/"


@pytest.mark.parametrize("target", GOOD)
def test_good_target_is_kept_exactly(app: Flask, target: str) -> None:
    with app.test_request_context("/"):
        assert safe_next(target) == target


def test_missing_target_is_the_first_page(app: Flask) -> None:
    with app.test_request_context("/"):
        assert safe_next(None) == "/"


def test_doubled_target_is_the_first_page(app: Flask) -> None:
    client = app.test_client()
    client.get("/kakao/login/?next=/users/me/&next=/users/")
    with client.session_transaction() as session:
        waiting = [value["data"]["next"] for key, value in session.items() if key.startswith("_state_")]
    assert waiting == ["/"]
