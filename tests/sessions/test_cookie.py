"""The cookies of a request, as werkzeug reads them, and with less work."""

import pytest
from flask import Request
from flask.testing import FlaskClient
from support import FakeKakao, log_in
from werkzeug.datastructures import EnvironHeaders, ImmutableMultiDict

from kakaoauth.sessions.cookie import cookies_of


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "session=abc",
        "a=1; b=2;c=3",
        'a="x\\"y\\073"; a=2',
        "=x; a",
        ";;,a=b;",
        "é=é; lang=ko",
        "a=\xed\x95\x9c",
    ],
)
def test_they_are_werkzeugs(header: str | None) -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_X": "a=b"} | ({} if header is None else {"HTTP_COOKIE": header})
    theirs, request = Request(dict(environ)).cookies, Request(dict(environ))
    found = cookies_of(request)
    assert (type(found), list(found.items(multi=True))) == (type(theirs), list(theirs.items(multi=True)))
    assert request.cookies is found


def test_no_request_goes_through_all_headers_for_them(
    client: FlaskClient, kakao: FakeKakao, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(client, kakao)

    def iterate(self: EnvironHeaders) -> None:
        raise AssertionError("goes through all headers")

    monkeypatch.setattr(EnvironHeaders, "__iter__", iterate)
    assert client.get("/users/me/").status_code == 200


def test_app_may_have_cookies_of_its_own() -> None:
    class TheirRequest(Request):
        cookies = ImmutableMultiDict({"own": "1"})  # type: ignore[assignment]

    assert cookies_of(TheirRequest({"HTTP_COOKIE": "a=b"})).to_dict() == {"own": "1"}
