"""Pages that are rendered once for many visitors: who shares one, and who must not."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, g, request, template_rendered
from jinja2 import ChoiceLoader, DictLoader
from redis import Redis
from support import FakeKakao, add_second, csrf_token, log_in
from support.apps import close

from kakaoauth import KakaoAuth
from kakaoauth.storage.database import db
from kakaoauth.web import parts
from kakaoauth.web.template_helpers import TEMPLATE_FOLDER

MakeApp = Callable[..., Flask]

KOREAN = {"Accept-Language": "ko"}
#: Visits whose pages differ: path, headers, the method used last.
VISITS: list[tuple[str, dict[str, str], str]] = [
    ("/", KOREAN, ""),
    ("/", {"Accept-Language": "en"}, ""),
    ("/", {**KOREAN, "Host": "127.0.0.1:8000"}, ""),
    ("/", KOREAN, "kakao"),
    ("/", KOREAN, "second"),
    ("/?lang=en&x=1", KOREAN, ""),
    ("/?next=/users/me/", KOREAN, ""),
    ("/?next=/users/", KOREAN, ""),
    ("/?next=//evil.example/", KOREAN, ""),
]


def visit(app: Flask, path: str, headers: dict[str, str], last: str) -> str:
    client = app.test_client()
    if last:
        client.set_cookie("kakaoauth_last", last, domain=headers.get("Host", "localhost").partition(":")[0])
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return answer.text


class Renderings:
    """How often a page was rendered."""

    def __init__(self, app: Flask) -> None:
        self.number = 0
        template_rendered.connect(self._count, app)

    def _count(self, sender: Flask, **_: Any) -> None:
        self.number += 1


@pytest.fixture
def site(make_app: MakeApp) -> Flask:
    return add_second(make_app())


def test_strangers_share_a_page_and_only_where_it_is_the_same(make_app: MakeApp, site: Flask) -> None:
    first = [visit(site, *one) for one in VISITS]
    rendered = Renderings(site)
    for one, page in reversed(list(zip(VISITS, first, strict=True))):
        assert visit(site, *one) == page
    assert rendered.number == 0
    assert len(set(first)) == len(VISITS)
    for one, page in zip(VISITS, first, strict=True):
        assert visit(add_second(make_app()), *one) == page, "as a site says it that nobody has visited"


def test_headers_of_a_shared_page_are_each_visitors(site: Flask) -> None:
    client = site.test_client()
    plain, chosen = client.get("/"), client.get("/?lang=en")
    again, once_more = site.test_client().get("/"), site.test_client().get("/?lang=en")
    assert dict(again.headers) == dict(plain.headers)
    assert dict(once_more.headers) == dict(chosen.headers)
    assert "Set-Cookie" not in again.headers
    assert once_more.headers["Set-Cookie"].startswith("lang=en;")
    assert again.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_shared_page_is_sent_as_flask_would_send_it(site: Flask, method: str) -> None:
    with site.test_request_context("/", method=method) as context:
        environ = context.request.environ
        page = site.full_dispatch_request()
        assert page.get_wsgi_headers(environ) is page.headers, "without a copy"
        plain = Response(page.get_data(), headers=page.headers)
        ours, theirs = page.get_wsgi_response(environ), plain.get_wsgi_response(environ)
        assert ours[1:] == theirs[1:]
        assert b"".join(ours[0]) == b"".join(theirs[0])


def test_person_sees_no_strangers_page_and_strangers_none_of_a_person(site: Flask, kakao: FakeKakao) -> None:
    stranger = site.test_client()
    before = stranger.get("/").text
    client = site.test_client()
    client.get("/")
    log_in(client, kakao)
    page = client.get("/").text
    assert "민지" in page
    assert 'class="signin"' not in page
    assert "민지" not in stranger.get("/").text
    assert "csrf_token" not in stranger.get("/").text
    assert stranger.get("/").text == before


def test_what_is_told_after_a_logout_is_told_to_nobody_else(site: Flask, kakao: FakeKakao) -> None:
    stranger, client = site.test_client(), site.test_client()
    for asked_before in (False, True):
        log_in(client, kakao)
        client.post("/kakao/logout/", data={"csrf_token": csrf_token(client)})
        client.delete_cookie("kakaoauth_last")
        told = client.get("/").text
        assert told.count("로그아웃했어요") == 1, asked_before
        assert "로그아웃했어요" not in stranger.get("/").text
        assert client.get("/").text == stranger.get("/").text


def test_message_in_a_strangers_session_is_told_once(site: Flask) -> None:
    client = site.test_client()
    before = client.get("/").text
    with client.session_transaction() as session:
        session["_told"] = [["Nur für dich", "good"]]
    assert "Nur für dich" in client.get("/").text
    assert "Nur für dich" not in site.test_client().get("/").text
    assert client.get("/").text == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAKAOAUTH_SITE_NAME", "Leseclub"),
        ("KAKAOAUTH_TERMS_URL", "https://club.example.kr/terms"),
        ("KAKAOAUTH_LANGUAGE", "ko"),
        ("KAKAOAUTH_EMBEDDED", frozenset({"kakao"})),
    ],
)
def test_setting_that_changes_while_the_site_runs_is_shown(make_app: MakeApp, name: str, value: Any) -> None:
    visited, new = make_app(), make_app()
    before = visit(visited, *VISITS[0])
    visited.config[name] = new.config[name] = value
    assert before != visit(visited, *VISITS[0]) == visit(new, *VISITS[0])


def test_provider_that_comes_later_is_offered(make_app: MakeApp) -> None:
    app = make_app()
    assert "/second/login/" not in app.test_client().get("/").text
    add_second(app)
    assert "/second/login/" in app.test_client().get("/").text


def test_whoever_makes_addresses_up_fills_no_memory(site: Flask) -> None:
    client = site.test_client()
    for number in range(parts.MOST + 10):
        client.get(f"/?x={number}")
    assert 0 < len(site.extensions[parts.KEPT_PAGES]) <= parts.MOST
    site.extensions[parts.KEPT_PAGES].clear()
    client.get(f"/?x={'y' * 1000}")
    assert not site.extensions[parts.KEPT_PAGES]


def test_page_with_a_template_that_is_not_ours_is_rendered_for_each(site: Flask) -> None:
    own = "{% block content %}{% endblock %}for {{ request.headers['X-Visitor'] }}"
    site.jinja_loader = DictLoader({"kakaoauth/layout.html": own})  # type: ignore[misc]
    for name in ("a", "b"):
        assert f"for {name}" in site.test_client().get("/", headers={"X-Visitor": name}).text


def test_host_has_each_page_rendered(settings: dict[str, Any], redis: Redis) -> None:
    app = Flask("host", template_folder=None)
    app.config.update(settings)
    KakaoAuth(app)
    with app.app_context():
        db.create_all()
    rendered = Renderings(app)
    for _ in range(2):
        assert app.test_client().get("/auth/").status_code == 200
    assert rendered.number == 2
    close(app)


@pytest.mark.parametrize("template", ["kakaoauth/auth/index.html", "kakaoauth/parts/lines.html"])
@pytest.mark.parametrize(
    "more", ["{{ session.shelf }}", "{{ request.cookies.shelf }}", "{{ g.shelf }}", "{{ kakaoauth.csrf_token() }}"]
)
def test_what_a_changed_template_shows_of_one_person_is_shown_to_nobody_else(
    site: Flask, template: str, more: str
) -> None:
    ours = (TEMPLATE_FOLDER / template).read_text()
    changed = ours.replace("{% block content %}", f"{{% block content %}}<i>{more}</i>")
    own = DictLoader({template: changed if changed != ours else f"<i>{more}</i>"})
    site.jinja_env.loader = ChoiceLoader([own, site.jinja_env.loader])  # type: ignore[list-item]
    site.before_request(lambda: setattr(g, "shelf", request.cookies.get("shelf")))
    seen = []
    for shelf in ("poetry", "novels"):
        client = site.test_client()
        client.set_cookie("shelf", shelf)
        with client.session_transaction() as session:
            session["shelf"] = shelf
        seen += re.findall("<i>(.*?)</i>", client.get("/").text)
    assert len(set(seen)) == 2
    assert all(seen)
    assert not site.extensions[parts.KEPT_PAGES]


def test_changed_part_that_shows_where_one_is_shows_it_of_each_page(site: Flask) -> None:
    own = DictLoader({"kakaoauth/parts/lines.html": "<i>{{ request.path }}?{{ request.args.x }}</i>"})
    site.jinja_env.loader = ChoiceLoader([own, site.jinja_env.loader])  # type: ignore[list-item]
    client = site.test_client()
    for path, shown in (("/?x=1", "/?1"), ("/?x=2", "/?2"), ("/nowhere/", "/nowhere/?")):
        assert f"<i>{shown}</i>" in client.get(path).text
