"""Pages of those who are logged in, which are rendered once for many: who sees what of whom."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, before_render_template, g, template_rendered
from flask.testing import FlaskClient
from jinja2 import ChoiceLoader, DictLoader
from markupsafe import escape
from support import FakeKakao, add_second, csrf_token, log_in, person

from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.web import parts, personal_pages, pieces

MakeApp = Callable[..., Flask]

PATHS = ("/", "/users/me/", "/?x=%3Cb%3E")
#: What of people the pages show; e-mail addresses and pictures are theirs alone.
PEOPLE: list[dict[str, Any]] = [
    {"nickname": "민지", "email": "minji@example.kr", "profile_image": "https://img.example/minji.jpg"},
    {"nickname": "Jiho", "email": "jiho@example.kr", "profile_image": "https://img.example/jiho.jpg"},
    {
        "nickname": """<b>"Bo" & 'Co'</b>""",
        "email": '"<i>"@example.kr',
        "profile_image": 'https://img.example/"><script>',
    },
    {"nickname": "csrf_token", "email": "email@example.kr"},
    {"nickname": "ßeta {{ 7 * 7 }}", "email": None},
    {"name": "Only a name", "email": None},
    {"email": None},
    {"nickname": "Sora", "email": "sora@example.kr", "is_staff": True},
    {"nickname": "Hana", "email": "hana@example.kr", "provider": "second"},
]


@pytest.fixture
def site(make_app: MakeApp) -> Flask:
    return add_second(make_app())


@pytest.fixture
def browsers(site: Flask, kakao: FakeKakao) -> list[FlaskClient]:
    """One for each of PEOPLE."""
    found = []
    for number, fields in enumerate(PEOPLE):
        kakao.me = person(5000 + number)
        client = site.test_client()
        log_in(client, kakao)
        change(site, number, **{"nickname": None, **fields})
        found.append(client)
    return found


def change(site: Flask, number: int, **fields: Any) -> None:
    with site.app_context():
        user = db.session.scalars(db.select(User).order_by(User.id)).all()[number]
        for name, value in fields.items():
            setattr(user, name, value)
        db.session.commit()


def see(client: FlaskClient, path: str, language: str = "ko") -> str:
    """A page but for its token, which says the second, and for how long ago something was."""
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert len(set(re.findall('name="csrf_token" value="([^"]+)"', answer.text))) == 1
    return re.sub('name="csrf_token" value="[^"]+"|<time .*?</time>', "", answer.text)


def visits(browsers: list[FlaskClient]) -> Iterator[tuple[FlaskClient, str, str]]:
    for client in browsers:
        for path in PATHS:
            for language in ("ko", "en"):
                yield client, path, language


def test_everybody_sees_the_page_that_would_be_rendered_for_them_alone(
    site: Flask, browsers: list[FlaskClient]
) -> None:
    first = [see(*visit) for visit in visits(browsers)]
    again = [see(*visit) for visit in reversed(list(visits(browsers)))]
    assert site.extensions[personal_pages.KEPT]
    del site.extensions[parts.KEPT_PAGES]  # as in a host with a template of its own: all are rendered each time
    site.extensions[pieces.ARE_OURS] = False
    alone = [see(*visit) for visit in visits(browsers)]
    assert first == alone
    assert again[::-1] == alone


def test_what_is_kept_holds_nothing_of_anybody(site: Flask, browsers: list[FlaskClient]) -> None:
    tokens = [csrf_token(client, path) for client, path, _ in visits(browsers)]
    kept = "".join("".join(pieces[::2]) for pieces in site.extensions[personal_pages.KEPT].values())
    shown = [str(value) for fields in PEOPLE for value in fields.values() if str(value) not in ("True", "csrf_token")]
    for value in {"minji", "jiho", "img.example", "example.kr", "&lt;i", *shown, *tokens} - {"None", "second"}:
        assert value not in kept
    assert not [token for token in tokens if token.partition(".")[0] and token.partition(".")[0] in kept]


def test_page_is_rendered_once_for_those_whose_pages_are_alike(site: Flask, browsers: list[FlaskClient]) -> None:
    rendered = []
    template_rendered.connect(receiver := lambda *_, **said: rendered.append(said["template"].name), site)
    see(browsers[0], "/")
    see(browsers[0], "/users/me/")
    before = list(rendered)
    assert before == ["kakaoauth/auth/index.html", "kakaoauth/account/show.html"]
    assert "Jiho" in see(browsers[1], "/")
    assert "Jiho" in see(browsers[1], "/users/me/")
    assert rendered == before
    template_rendered.disconnect(receiver, site)


def test_change_is_on_the_next_page(site: Flask, browsers: list[FlaskClient]) -> None:
    minji = browsers[0]
    before = {path: see(minji, path) for path in PATHS}
    assert all('href="/users/"' not in page for page in before.values())
    change(site, 0, nickname="지민", is_staff=True, profile_image=None)
    for path in PATHS:
        page = see(minji, path)
        assert "지민" in page
        assert "민지" not in page
        assert 'href="/users/"' in page
        assert "minji.jpg" not in page
    change(site, 0, nickname="민지", is_staff=False, profile_image=PEOPLE[0]["profile_image"])
    assert {path: see(minji, path) for path in PATHS} == before


def test_token_of_a_page_is_that_of_its_session(browsers: list[FlaskClient]) -> None:
    minji, jiho = browsers[:2]
    for path in PATHS:
        token, theirs = csrf_token(minji, path), csrf_token(jiho, path)
        form = {"csrf_token": token, "nickname": "민지"}
        assert jiho.post("/users/me/profile/", data=form).status_code == 400
        assert minji.post("/users/me/profile/", data={**form, "csrf_token": theirs}).status_code == 400
        assert minji.post("/users/me/profile/", data=form).status_code == 302


def test_message_is_told_once_and_to_nobody_else(browsers: list[FlaskClient]) -> None:
    minji, jiho = browsers[:2]
    see(jiho, "/")
    for path in ("/", "/users/me/"):
        answer = minji.post("/users/me/profile/", data={"csrf_token": csrf_token(minji), "nickname": "Neu"})
        assert answer.status_code == 302
        assert see(minji, path).count('role="status"') == 1
        assert 'role="status"' not in see(minji, path)
        assert 'role="status"' not in see(jiho, path)


def test_page_that_cannot_be_rendered_leaves_its_person_in_place(site: Flask) -> None:
    user, seen = User(nickname="민지", is_staff=False), []

    def fail(*_: Any, **__: Any) -> None:
        seen.append((g._login_user, g.csrf_token))
        raise LookupError

    with site.test_request_context("/"):
        g._login_user = user
        token = personal_pages.csrf_token()
        with before_render_template.connected_to(fail, site), pytest.raises(LookupError):
            personal_pages.render("kakaoauth/auth/index.html", user=user)
        assert (g._login_user, g.csrf_token) == (user, token)
    ((person_then, token_then),) = seen
    assert isinstance(person_then, personal_pages.Nobody)
    assert escape(token_then) not in ("", token)


def test_whoever_makes_addresses_up_fills_no_memory(site: Flask, browsers: list[FlaskClient]) -> None:
    for number in range(parts.MOST + 10):
        browsers[0].get(f"/?x={number}")
    kept = site.extensions[personal_pages.KEPT]
    assert 0 < len(kept) <= parts.MOST
    kept.clear()
    browsers[0].get(f"/?x={'y' * 1000}")
    assert not kept


def test_template_that_shows_more_of_a_person_is_rendered_for_each(site: Flask, browsers: list[FlaskClient]) -> None:
    home = {
        "kakaoauth/auth/_home.html": "<p>{{ kakaoauth.current_user.gender }}, {{ kakaoauth.current_user.email }}</p>"
    }
    site.jinja_env.loader = ChoiceLoader([DictLoader(home), site.jinja_loader or site.jinja_env.loader])
    change(site, 0, gender="female")
    for _ in range(2):
        assert "<p>female, minji@example.kr</p>" in see(browsers[0], "/")
        assert "<p>None, jiho@example.kr</p>" in see(browsers[1], "/")
    assert not site.extensions[personal_pages.KEPT]
