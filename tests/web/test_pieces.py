"""Templates that are rendered once and filled for many: nothing of anybody is kept, and each sees their own."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, before_render_template, g, request, session, template_rendered
from jinja2 import BaseLoader, ChoiceLoader, DictLoader, ModuleLoader
from markupsafe import Markup, escape
from redis import Redis
from support import FakeKakao, csrf_token, log_in, person
from support.apps import close
from support.devices import CHROME

from kakaoauth import KakaoAuth
from kakaoauth.models import User
from kakaoauth.web import personal_pages, pieces
from kakaoauth.web.pieces import Pieces, Rendered
from kakaoauth.web.template_helpers import TEMPLATE_FOLDER

MakeApp = Callable[..., Flask]

OWN = "/users/me/"
HOSTILE = """<b>"Bo" & 'Co'</b> {{ 7 * 7 }} %(name)s \0 csrf_token"""
#: Templates by name, with the values that each shows or asks for.
TEMPLATES = {
    "_alarm": ("date", "app"),
    "_device": (
        *("words", "network", "first_day", "last_seen", "is_app", "is_here", "is_phone", "handle", "csrf_token"),
    ),
    "_event": ("action", "is_refused", "reason", "browser", "network", "when"),
    "_profile": (
        *("email", "undeliverable", "nickname", "name", "age", "age_range", "gender", "joined", "last_login"),
    ),
    "_way": ("number", "day", "may_unlink", "csrf_token"),
    "users/_row": (
        *("id", "name", "hue", "initial", "image", "href", "tags", "email", "chips", "way", "joined", "last", "is_off"),
    ),
    "users/_columns": ("id", "nickname", "email", "date_joined", "last_login"),
    "users/_filter": ("q", "tag", "joined_from", "joined_until", "login_from", "login_until"),
    "users/_line": (
        *("when", "action", "provider", "is_refused", "reason", "code", "details", "actor", "target", "source"),
        "browser",
    ),
    "users/_person": ("number", "name", "href"),
    "_cards": (
        *("display_name", "kakaoauth_initial", "nickname", "email", "profile_image", "csrf_token", "profile", "ways"),
        *("may_link", "alarms", "devices", "number", "may_end", "may_end_others", "is_cut", "events", "consents"),
    ),
}
#: What else decides what they show, and is not of one person.
ALIKE: dict[str, list[tuple[str, Any]]] = {
    "_way": [("name", "kakao")],
    "_cards": [("provider", "kakao")],
    "users/_columns": [("sorted", "email"), ("direction", "descending")],
    "users/_filter": [
        *(("sort", "-id"), ("state", "closed"), ("provider", "naver"), ("consent", "-tos"), ("is_asked", True)),
        *(("providers", (("naver", "Naver"),)), ("terms", (("tos", "Terms"),))),
    ],
    "users/_person": [("has_account", True)],
}


@pytest.fixture
def of_somebody(app: Flask) -> Iterator[None]:
    with app.test_request_context("/?lang=en&shelf=essays"):
        g._login_user = User(id=5, nickname="민지")
        yield


@pytest.fixture
def host(settings: dict[str, Any], redis: Redis, create_tables: Callable[[Flask], None]) -> Iterator[Flask]:
    app = Flask("bookclub", template_folder=None)
    app.config.update(settings)
    KakaoAuth(app, url_prefix="")
    create_tables(app)
    yield app
    close(app)


def put(app: Flask, **templates: str) -> None:
    """Put templates of a host's own before ours."""
    own = {f"{name}.html": text for name, text in templates.items()}
    own |= {f"kakaoauth/account/{name}.html": text for name, text in templates.items()}
    app.jinja_env.loader = ChoiceLoader([DictLoader(own), app.jinja_env.loader])  # type: ignore[list-item]


def choices(names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """All values, none, all but one, one alone."""
    everything = {name: f"{name} {HOSTILE}" for name in names}
    yield everything
    yield dict.fromkeys(names, "")
    for name in names:
        yield {**everything, name: ""}
        yield {**dict.fromkeys(names, ""), name: everything[name]}


@pytest.mark.usefixtures("of_somebody")
@pytest.mark.parametrize("name", TEMPLATES)
def test_filled_template_is_what_would_be_rendered(name: str) -> None:
    folder = "kakaoauth" if "/" in name else "kakaoauth/account"
    kept, template = Pieces(), f"{folder}/{name}.html"
    alike = ALIKE.get(name, [])
    for values in choices(TEMPLATES[name]):
        g.csrf_token = values.get("csrf_token", "none of these")
        for number in "ab":
            shown = {name: value and number + value for name, value in values.items()}
            g.csrf_token = shown.get("csrf_token", "none of these")
            assert kept.fill(template, *alike, **shown) == Rendered().fill(template, *alike, **shown)
            assert "<b>" not in kept.fill(template, *alike, **shown)
    assert len(kept) == len({tuple(map(bool, values.values())) for values in choices(TEMPLATES[name])})


@pytest.mark.usefixtures("of_somebody")
@pytest.mark.parametrize("text", ["<i>", "", "a\0<b>", "\0"])
def test_each_kind_of_value_is_shown_as_in_a_template(app: Flask, text: str) -> None:
    put(app, kinds="{{ a }}|{{ b }}|{{ c }}|{{ d }}|{{ e }}|{{ f }}")
    values = {"a": text, "b": Markup("<u>"), "c": 7, "d": None, "e": "&", "f": "<i>"}
    shown = Pieces().fill("kinds.html", **values)
    assert shown == f"{escape(text)}|<u>|7||&amp;|&lt;i&gt;"
    assert type(shown) is Markup


@pytest.mark.usefixtures("of_somebody")
@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ("kakaoauth.csrf_token()", "token"),
        ("kakaoauth.current_user.nickname", "민지"),
        ("session.shelf", "poetry"),
        ("session['shelf']", "poetry"),
        ("'shelf' in session", "True"),
        ("request.headers['X-Shelf']", "novels"),
        ("get_flashed_messages()", "[]"),
        ("request.args.shelf", "essays"),
        ("request.path", "/"),
        ("g.shelf", "plays"),
        ("kakaoauth.parts()['shelf']", "poetry"),
        ("word|upper", "HELLO"),
        ("word|length", "5"),
        ("word[:2]", "he"),
        ("word == 'hello'", "True"),
        ("'%s!' % word", "hello!"),
        ("word * 2", "hellohello"),
        ("word + '!'", "hello!"),
        ("word|replace('h', 'j')", "jello"),
    ],
)
def test_template_that_shows_more_of_a_person_is_not_kept(app: Flask, more: str, seen: str) -> None:
    put(app, more=f"{{{{ {more} }}}} {{{{ word }}}}")
    part = DictLoader({"kakaoauth/parts/shelf.html": "{{ session.shelf }}"})
    app.jinja_env.loader = ChoiceLoader([part, app.jinja_env.loader])  # type: ignore[list-item]
    kept, before = Pieces(), g._login_user
    session["shelf"], g.csrf_token, g.shelf = "poetry", "token", "plays"
    request.environ["HTTP_X_SHELF"] = "novels"
    assert kept.fill("more.html", word="hello") == f"{seen} hello"
    assert not kept
    assert (g._login_user, g.csrf_token) == (before, "token")


@pytest.mark.usefixtures("of_somebody")
def test_values_that_somebody_makes_up_fill_no_memory(app: Flask) -> None:
    put(app, plain="{{ word }}")
    kept = Pieces()
    for number in range(pieces.MOST + 10):
        assert kept.fill("plain.html", ("number", number), word="hello") == "hello"
    assert 0 < len(kept) <= pieces.MOST


def test_nothing_of_anybody_is_kept(app: Flask, kakao: FakeKakao) -> None:
    seen = []
    for number, name in enumerate(("민지", "Jiho")):
        kakao.me = person(7000 + number, profile={"nickname": name})
        for _ in range(2):
            client = app.test_client()
            client.environ_base["HTTP_USER_AGENT"] = CHROME
            log_in(client, kakao)
        page = client.get(OWN).text
        handles = re.findall("/devices/([^/]+)/end/", page)
        assert len(handles) == 2
        seen += [*handles, name, csrf_token(client, OWN), *re.findall("<time.*?</time>", page), "127.0.0", "Windows"]
    kept = app.extensions[pieces.KEPT]
    text = "".join("".join(found[::2]) for one in kept.values() for found in one.values())
    assert "Jiho" in client.get(OWN).text
    assert text
    assert [value for value in seen if value in text] == []


def test_hosts_template_in_place_of_ours_is_rendered_for_each(host: Flask, kakao: FakeKakao) -> None:
    put(host, _event="<li>{{ action }} for {{ request.headers['X-Visitor'] }}, {{ current_user.nickname }}</li>")
    for number, name in enumerate(("민지", "Jiho")):
        kakao.me = person(7000 + number, profile={"nickname": name})
        log_in(client := host.test_client(), kakao)
        for visitor in ("a", "b"):
            assert f"for {visitor}, {name}</li>" in client.get(OWN, headers={"X-Visitor": visitor}).text


@pytest.mark.parametrize("loader", [None, ModuleLoader("compiled")])
def test_host_whose_loader_does_not_tell_where_templates_come_from(
    host: Flask, kakao: FakeKakao, loader: BaseLoader | None
) -> None:
    needed = {
        path.relative_to(TEMPLATE_FOLDER).as_posix(): path.read_text()
        for path in TEMPLATE_FOLDER.rglob("*.html")
        if "users" not in path.parts
    }
    host.jinja_env.loader = ChoiceLoader([*([loader] if loader else []), DictLoader(needed)])
    kakao.me = person(7000, profile={"nickname": "민지"})
    log_in(client := host.test_client(), kakao)
    assert "<h1>민지</h1>" in client.get(OWN).text
    assert pieces.KEPT not in host.extensions


def test_hosts_page_in_our_layout_is_rendered_once(host: Flask, kakao: FakeKakao) -> None:
    clients = []
    for number, name in enumerate(("민지", "Jiho")):
        kakao.me = person(7000 + number, profile={"nickname": name})
        log_in(client := host.test_client(), kakao)
        clients.append((client, name))
        assert f"<h1>{name}</h1>" in client.get(OWN).text
    before = {key: list(found) for key, found in host.extensions[personal_pages.KEPT].items()}
    assert before
    for client, name in clients:
        assert f"<h1>{name}</h1>" in client.get(OWN).text
    assert host.extensions[personal_pages.KEPT] == before


def test_host_hears_of_each_page_that_it_wants_to_hear_of(host: Flask, kakao: FakeKakao) -> None:
    log_in(client := host.test_client(), kakao)
    client.get(OWN)
    for signal in (before_render_template, template_rendered):
        heard = []
        with signal.connected_to(lambda *_, template, **__: heard.append(template.name), host):  # noqa: B023
            client.get(OWN)
            client.get(OWN)
        assert heard == ["kakaoauth/account/show.html"] * 2


def test_template_that_somebody_works_on_is_rendered_each_time(host: Flask, kakao: FakeKakao) -> None:
    host.jinja_env.auto_reload = True
    log_in(client := host.test_client(), kakao)
    assert client.get(OWN).status_code == 200
    assert personal_pages.KEPT not in host.extensions
    assert pieces.KEPT not in host.extensions


def test_hosts_layout_is_rendered_for_each(host: Flask, kakao: FakeKakao) -> None:
    host.config["KAKAOAUTH_LAYOUT"] = "base.html"
    put(host, base="{{ request.headers['X-Visitor'] }}, {{ current_user.nickname }}:{% block content %}{% endblock %}")
    for number, name in enumerate(("민지", "Jiho")):
        kakao.me = person(7000 + number, profile={"nickname": name})
        log_in(client := host.test_client(), kakao)
        for visitor in ("a", "b"):
            page = client.get(OWN, headers={"X-Visitor": visitor}).text
            assert page.startswith(f"{visitor}, {name}:")
            assert f"<h1>{name}</h1>" in page
    assert host.extensions[pieces.KEPT]


def test_what_a_host_adds_to_addresses_is_each_requests(host: Flask, kakao: FakeKakao) -> None:
    @host.url_defaults
    def add(endpoint: str, values: dict[str, Any]) -> None:
        values.setdefault("of", g.get("visitor"))

    @host.before_request
    def note() -> None:
        g.visitor = request.headers.get("X-Visitor")

    log_in(client := host.test_client(), kakao)
    for visitor in ("a", "b"):
        page = client.get(OWN, headers={"X-Visitor": visitor}).text
        assert f"/users/me/data/?of={visitor}" in page
        assert f"/end/?of={visitor}" in page
