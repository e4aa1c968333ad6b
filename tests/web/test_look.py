"""A host's look: its own texts, layout and templates, and our pages and buttons in them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, render_template, render_template_string
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, add_second, csrf_token, log_in
from support.apps import close

from kakaoauth import KakaoAuth
from kakaoauth.web.template_helpers import TEMPLATE_FOLDER

BLOCKS = {"title", "head", "nav", "content", "footer"}
#: As a host has it whose pages are in two languages by a library of its own.
BASE = """<!doctype html>
<title>{% block title %}{% endblock %} - {{ _("Log in") }}</title>
{% block head %}{% endblock %}
<nav>{% block nav %}{{ _("Books") }}{% endblock %}</nav>
<article>{% block content %}{% endblock %}</article>
<footer>{% block footer %}{{ _("Footer") }}{% endblock %}</footer>
"""
MACROS = '{% from "kakaoauth/buttons.html" import login_buttons, logout_button CONTEXT %}'
INLINE = re.compile(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", re.I)

MakeHost = Callable[..., Flask]


class OwnTexts:
    """What stands in `app.extensions["babel"]` of a host that has Flask-Babel."""

    def __init__(self, app: Flask) -> None:
        app.extensions["babel"] = self
        app.config["BABEL_DEFAULT_LOCALE"] = "de"
        app.jinja_env.add_extension("jinja2.ext.i18n")
        app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
            lambda text: f"host's {text}", lambda one, many, number: f"host's {many}", newstyle=True
        )
        app.jinja_env.filters["moment"] = lambda value: f"host's {value}"


@pytest.fixture
def make_host(
    settings: dict[str, Any], redis: Redis, tmp_path: Path, create_tables: Callable[[Flask], None]
) -> Iterator[MakeHost]:
    """Make a host with its own templates by name, and pages that show `page.html` at /books/."""
    made: list[Flask] = []

    def make(
        templates: dict[str, str] | None = None, own_texts: bool = True, url_prefix: str = "", **overrides: Any
    ) -> Flask:
        folder = tmp_path / "templates"
        for name, text in {"base.html": BASE, "page.html": "", **(templates or {})}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        app = Flask("bookclub", template_folder=str(folder), instance_path=str(tmp_path))
        app.config.update({**settings, **overrides})
        if own_texts:
            OwnTexts(app)
        KakaoAuth(app, url_prefix=url_prefix)
        app.add_url_rule("/books/", "books", lambda: render_template("page.html", mine="<mine>"))
        create_tables(app)
        made.append(app)
        return app

    yield make
    for app in made:
        close(app)


def in_host(app: Flask, path: str, **more: Any) -> str:
    answer = app.test_client().get(path, **more)
    assert answer.status_code == 200, answer.text
    return answer.text


# Names


def test_only_names_of_ours_come_into_a_hosts_templates(make_host: MakeHost) -> None:
    plain = Flask("bookclub")
    OwnTexts(plain)
    app = make_host()
    of_libraries = {"csrf_token", "csrf_meta_tag", "current_user"}  # as Flask-WTF and Flask-Login call them
    for kind in ("globals", "filters", "tests", "extensions"):
        added = set(getattr(app.jinja_env, kind)) - set(getattr(plain.jinja_env, kind))
        assert {name for name in added if not name.startswith("kakaoauth")} <= of_libraries, kind
    assert app.jinja_env.filters["moment"](1) == "host's 1"
    assert isinstance(app.extensions["babel"], OwnTexts)
    assert {name for name in app.config if name.startswith("BABEL_")} == {"BABEL_DEFAULT_LOCALE"}


def test_host_without_texts_of_its_own_gets_none(make_host: MakeHost) -> None:
    app = make_host(own_texts=False)
    assert "babel" not in app.extensions
    assert not {"_", "gettext", "ngettext"} & app.jinja_env.globals.keys()


def test_values_in_a_text_are_escaped(make_host: MakeHost) -> None:
    page = in_host(make_host({"page.html": '{{ kakaoauth_("Hello, %(name)s", name=mine) }}'}), "/books/?lang=en")
    assert page == "Hello, &lt;mine&gt;"


# Layout


@pytest.mark.parametrize(
    "name", [path.relative_to(TEMPLATE_FOLDER).as_posix() for path in TEMPLATE_FOLDER.rglob("*.html")]
)
def test_templates_have_no_block_but_the_five(make_host: MakeHost, name: str) -> None:
    """A block of another name might be one of the host's layout, which would show it a second time."""
    blocks = set(make_host().jinja_env.get_template(name).blocks)
    assert blocks == BLOCKS if name == "kakaoauth/layout.html" else blocks <= BLOCKS


@pytest.mark.parametrize(("language", "title"), [("ko", "비밀번호로 로그인"), ("en", "Log in with a password")])
def test_page_in_a_hosts_layout_has_both_ones_texts(make_host: MakeHost, language: str, title: str) -> None:
    page = in_host(make_host(KAKAOAUTH_LAYOUT="base.html"), f"/login/?lang={language}")
    assert f"<title>{title} - host's Log in</title>" in page
    assert "<nav>host's Books</nav>" in page
    assert "<footer>host's Footer</footer>" in page
    assert re.search(rf'<article>\s*<div class="kakaoauth" data-page="password">.*<h1>{title}</h1>', page, re.DOTALL)
    assert len(re.findall(r'<link rel="stylesheet" href="/kakaoauth/style\.[0-9a-f]{8}\.css">', page)) == 1
    assert "layout." not in page


def test_site_of_one_language_speaks_no_other(make_host: MakeHost) -> None:
    app = make_host({"page.html": MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}"}, KAKAOAUTH_LANGUAGE="ko")
    headers = {"Accept-Language": "en", "Cookie": "lang=en"}
    client = app.test_client(use_cookies=False)
    for path, text in (("/books/?lang=en", "카카오 로그인"), ("/login/?lang=en", "비밀번호로 로그인")):
        assert text in client.get(path, headers=headers).text
    page = client.get("/login/").text
    assert '<html lang="ko">' in page
    assert "hreflang" not in page


def test_layout_without_a_place_for_the_style_sheet_is_no_error(make_host: MakeHost) -> None:
    bare = "{% block content %}{% endblock %}"
    assert "data-page=" in in_host(make_host({"base.html": bare}, KAKAOAUTH_LAYOUT="base.html"), "/login/")


def test_hosts_own_pages_can_use_our_layout(make_host: MakeHost) -> None:
    page = """{% extends "kakaoauth/layout.html" %}
{% block title %}{{ _("Books") }}{% endblock %}{% block content %}{{ mine }}{% endblock %}"""
    shown = in_host(make_host({"page.html": page}), "/books/?lang=en")
    assert "<title>host's Books · kakaoauth</title>" in shown
    assert "&lt;mine&gt;" in shown
    assert "Skip to content" in shown
    assert len(re.findall(r"/kakaoauth/style\.", shown)) == 1


def test_file_of_the_same_name_in_the_hosts_folder_is_taken(make_host: MakeHost) -> None:
    own = """{% extends kakaoauth.layout %}{% block content %}our own: {{ kakaoauth_("Log in") }}{% endblock %}"""
    page = in_host(make_host({"kakaoauth/auth/password.html": own}), "/login/?lang=ko")
    assert "our own: 로그인" in page


# Error pages


def test_error_page_is_in_the_hosts_layout(make_host: MakeHost) -> None:
    app = make_host({"errors/problem.html": "the host's", "error.html": "the host's"}, KAKAOAUTH_LAYOUT="base.html")
    answer = app.test_client().get("/kakao/login/callback/?code=x&state=y&lang=en")
    assert answer.status_code == 400
    assert "<nav>host's Books</nav>" in answer.text
    assert 'data-page="problem"' in answer.text


def test_layout_that_cannot_be_rendered_hides_no_error(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    app = make_host({"base.html": "{{ nothing.at_all }}"}, KAKAOAUTH_LAYOUT="base.html")
    client = app.test_client()
    with app.app_context():  # which both requests share
        for _ in range(2):
            answer = client.get("/kakao/login/callback/?code=x&state=y")
            assert answer.status_code == 400
            assert 'data-page="problem"' in answer.text
            assert "<main" in answer.text
    assert caplog.text.count("KAKAOAUTH_LAYOUT cannot be rendered (UndefinedError)") == 2


# Buttons


def links(page: str) -> list[tuple[str, str]]:
    """Path and `next` of the buttons."""
    hrefs = [urlsplit(href.replace("&amp;", "&")) for href in re.findall(r'<a class="login \w+" href="([^"]+)"', page)]
    return [(href.path, parse_qs(href.query).get("next", [""])[0]) for href in hrefs]


@pytest.mark.parametrize("context", ["", "with context", "without context"])
@pytest.mark.parametrize(
    ("language", "labels"),
    [("ko", ("카카오 로그인", "Second으로 로그인")), ("en", ("Login with Kakao", "Log in with Second"))],
)
def test_buttons_stand_on_any_page(make_host: MakeHost, context: str, language: str, labels: tuple[str, str]) -> None:
    app = add_second(make_host({"page.html": MACROS.replace("CONTEXT", context) + "{{ login_buttons() }}"}))
    page = in_host(app, f"/books/?lang={language}&q=%EC%B1%85&r=1")
    here = f"/books/?lang={language}&q=%EC%B1%85&r=1"
    assert links(page) == [("/kakao/login/", here), ("/second/login/", here)]
    assert labels[0] in page
    assert not INLINE.search(page)
    assert '<link rel="stylesheet" href="/kakaoauth/style.' in page


def test_buttons_lead_where_the_host_says(make_host: MakeHost) -> None:
    app = make_host({"page.html": MACROS.replace("CONTEXT", "") + '{{ login_buttons(next="/users/me/") }}'})
    assert links(in_host(app, "/books/")) == [("/kakao/login/", "/users/me/")]


def test_buttons_know_where_the_app_is_mounted(make_host: MakeHost) -> None:
    app = make_host({"page.html": MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}"})
    page = in_host(app, "/books/", base_url="http://localhost/club/")
    assert links(page) == [("/club/kakao/login/", "/club/books/")]
    assert 'href="/club/kakaoauth/style.' in page


def test_buttons_know_our_prefix(make_host: MakeHost) -> None:
    app = make_host({"page.html": MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}"}, url_prefix="/auth")
    page = in_host(app, "/books/")
    assert links(page) == [("/auth/kakao/login/", "/books/")]
    (style,) = re.findall(r'href="(/auth/kakaoauth/style\.[^"]+)"', page)
    answer = app.test_client().get(style, buffered=True)
    assert "immutable" in answer.headers["Cache-Control"]
    assert "/auth/kakaoauth/style." in in_host(app, "/auth/login/")


def test_buttons_name_no_page_that_nobody_returns_to(make_host: MakeHost) -> None:
    app = make_host()

    @app.post("/orders/")
    def order() -> str:
        return render_template_string(MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}")

    client = app.test_client()
    assert links(client.post("/orders/").text) == [("/kakao/login/", "")]
    base = BASE.replace("<nav>", MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}<nav>")
    framed = make_host({"base.html": base}, KAKAOAUTH_LAYOUT="base.html").test_client()
    failed = framed.get("/kakao/login/callback/?code=canary-code&state=y").text
    assert links(failed) == [("/kakao/login/", "")]
    assert "canary-code" not in failed


def test_login_by_a_button_comes_back_to_its_page(make_host: MakeHost, kakao: FakeKakao) -> None:
    client = make_host({"page.html": MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}"}).test_client()
    ((_, target),) = links(client.get("/books/?q=1").text)
    assert log_in(client, kakao, next=target).location == "/books/?q=1"


def test_logout_button_is_there_for_those_who_are_logged_in(make_host: MakeHost, kakao: FakeKakao) -> None:
    client: FlaskClient = make_host(
        {"page.html": MACROS.replace("CONTEXT", "") + "{{ logout_button() }}"}
    ).test_client()
    anonymous = client.get("/books/")
    assert anonymous.text.strip() == ""
    assert "Set-Cookie" not in anonymous.headers
    log_in(client, kakao)
    page = client.get("/books/?lang=en").text
    assert re.search(r'<form class="kakaoauth" method="post" action="/kakao/logout/">', page)
    assert not INLINE.search(page)
    token = csrf_token(client, "/books/")
    assert client.post("/kakao/logout/", data={"csrf_token": token}).status_code == 302
    assert client.get("/books/").text.strip() == ""


# The owner's settings


def test_owners_look_is_below_our_prefix_and_the_top_of_the_site_stays_the_hosts(make_host: MakeHost) -> None:
    app = make_host(
        {"page.html": MACROS.replace("CONTEXT", "") + "{{ login_buttons() }}"},
        url_prefix="/auth",
        KAKAOAUTH_ACCENT_COLOR="#0f766e",
    )
    client = app.test_client()
    for page in (client.get("/auth/login/").text, client.get("/books/").text):
        (sheet,) = re.findall(r'href="(/auth/kakaoauth/colours\.[0-9a-f]{8}\.css)"', page)
        assert client.get(sheet).status_code == 200
    assert client.get("/auth/kakaoauth/icons/favicon.ico", buffered=True).status_code == 200
    assert [client.get(path).status_code for path in ("/favicon.ico", "/robots.txt")] == [404, 404]
