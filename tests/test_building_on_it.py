"""Every block of code in docs/building-on-it.md and README.md does what the text says.

A reader types them one after the other: the first line of each Python file and template names it, `further down` means
that it goes on. The Korean pages have the same blocks, which tests/test_docs.py compares.
"""

import importlib
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
import pytest
import time_machine
from flask import Flask, render_template
from flask.cli import FlaskGroup, ScriptInfo
from flask.testing import FlaskClient
from redis import Redis
from support import CLIENT_ID, CLIENT_SECRET, FakeKakao, person
from support.programs import run_program

from kakaoauth import User
from kakaoauth.cli.console import main as console
from kakaoauth.config.settings import NAMES
from kakaoauth.core import FEATURES
from kakaoauth.signals import user_signed_up
from kakaoauth.storage.database import db as ours

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/building-on-it.md"
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"(?:# |\{# )([\w/.]+\.(?:py|html))(, further down)?(?: #\})?\n")
#: Names of files -> the test below that tries it.
FILES = {
    "app.py": "test_app_from_nothing",
    "templates/home.html": "test_app_from_nothing",
    "shop.py": "test_shop_that_was_there",
    "templates/base.html": "test_pages_stand_in_the_readers_layout",
    "templates/buttons_of_mine.html": "test_buttons_stand_on_any_page",
    "bookclub.py": "test_guards_let_in_whom_the_table_says",
    "test_bookclub.py": "test_tests_of_the_reader_pass",
    "gunicorn.conf.py": "test_gunicorn_starts_the_jobs",
    "reading_circle.py": "test_sign_up_asks_for_the_readers_fields",
    "site_with_notes.py": "test_page_beside_the_reference_site",
}
#: What is no file: by its language and beginning.
OTHERS = {
    ("html", "<a href="): "test_front_end_logs_in_by_the_link_and_calls_the_api",
    ("js", "await fetch("): "test_front_end_logs_in_by_the_link_and_calls_the_api",
}


#: Python's own and a shell's.
OTHER_COMMANDS = (["python3", "-m", "venv", ".venv"], [".", ".venv/bin/activate"], ["python3", "-m", "pytest"])


@dataclass(frozen=True)
class Block:
    """One block. `file` is empty for what a reader saves nowhere."""

    language: str
    text: str
    file: str
    is_continued: bool


def blocks_of(page: Path) -> list[Block]:
    found = []
    for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        named = FILE_NAME.match(text)
        found.append(Block(language, text, named[1] if named else "", bool(named and named[2])))
    return found


BLOCKS = blocks_of(PAGE)
COMMANDS = [
    pytest.param(page, line, id=line)
    for page in (PAGE, README)
    for block in blocks_of(page)
    if block.language == "sh"
    for line in block.text.splitlines()
]


def test_every_block_is_tried() -> None:
    assert len(BLOCKS) > 12, "the pattern finds nothing any more"
    for block in BLOCKS:
        known = block.file in FILES if block.file else (block.language, block.text.split('"')[0]) in OTHERS
        assert known or block.language == "sh", f"no test tries this block:\n{block.text}"
    assert {block.file for block in BLOCKS if block.file} == set(FILES)
    assert {*FILES.values(), *OTHERS.values()} <= set(globals())


# What a reader does


class Reader:
    """Has typed everything into a folder, and starts one of the apps."""

    def __init__(self, folder: Path, create_tables: Callable[[Flask], None]) -> None:
        self.folder = folder
        self._create_tables = create_tables
        self.prepared: list[Flask] = []

    def type_in(self, blocks: list[Block]) -> None:
        for block in blocks:
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(exist_ok=True)
                before = path.read_text(encoding="utf-8") if block.is_continued else ""
                path.write_text(f"{before}\n\n{block.text}".lstrip(), encoding="utf-8")

    def load(self, name: str) -> ModuleType:
        return importlib.import_module(name)

    def make(self, name: str) -> Flask:
        """The app that MODULE:APP names, as `flask --app` and `kakaoauth dev` do."""
        module, _, attribute = name.partition(":")
        found = getattr(self.load(module), attribute or "app")
        app: Flask = found if isinstance(found, Flask) else found()
        return app

    def prepare(self, app: Flask) -> Flask:
        """Make the tables, those of the reader's own models too."""
        self._create_tables(app)
        with app.app_context():
            if database := app.extensions.get("sqlalchemy"):
                database.create_all()
        self.prepared.append(app)
        return app

    def run(self, module: str, *words: str) -> str:
        """Run a module in the folder as `python -m` does, and return what it has printed."""
        done = run_program(module, *words, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def reader(
    tmp_path: Path,
    redis: Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    create_tables: Callable[[Flask], None],
) -> Iterator[Reader]:
    """In a folder of their own, with the settings of production in the environment."""
    settings = {
        "SECRET_KEY": "a reader's secret, of more than 32 characters",
        "REDIS_URL": redis_url,
        "KAKAO_CLIENT_ID": CLIENT_ID,
        "KAKAO_CLIENT_SECRET": CLIENT_SECRET,
        "INSTANCE_PATH": str(tmp_path / "instance"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"FLASK_{name}", value)
        monkeypatch.setenv(name, value)  # for the reference site
    database = f"sqlite:///{tmp_path / 'reader.db'}"
    monkeypatch.setenv("FLASK_DATABASE_URL", database)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "instance").mkdir()
    reader = Reader(tmp_path, create_tables)
    reader.type_in(BLOCKS)
    before = set(sys.modules)
    hearers = dict(user_signed_up.receivers)
    yield reader
    for app in reader.prepared:
        with app.app_context():
            ours.engine.dispose()
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and name in {path.stem for path in tmp_path.glob("*.py")}:
            module = sys.modules.pop(name)
            for hearer in ("give_welcome_book", "keep_favourite"):
                if hasattr(module, hearer):
                    user_signed_up.disconnect(getattr(module, hearer))
    assert user_signed_up.receivers.keys() == hearers.keys()


def log_in(client: FlaskClient, kakao: FakeKakao, prefix: str = "/auth", **query: str) -> Any:
    begun = client.get(f"{prefix}/kakao/login/", query_string=query)
    assert begun.status_code == 302, begun.text
    sent = {name: values[0] for name, values in parse_qs(urlsplit(begun.location).query).items()}
    kakao.nonce = sent["nonce"]
    return client.get(urlsplit(sent["redirect_uri"]).path, query_string={"state": sent["state"], "code": "a-code"})


def csrf_of(page: str) -> str:
    return page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]


# From nothing


def test_app_from_nothing(reader: Reader, kakao: FakeKakao) -> None:
    client = reader.prepare(reader.load("app").create_app()).test_client()
    home = client.get("/").text
    (link,) = re.findall(r'class="login kakao" href="([^"]+)"', home)
    assert "<button" not in home
    answer = client.get("/members/")
    assert (answer.status_code, answer.location) == (302, "/auth/?next=/members/")
    assert link == "/auth/kakao/login/?next=/members/"
    assert log_in(client, kakao, next="/members/").location == "/members/"
    assert client.get("/members/").json == {"hello": "민지"}
    client.post("/auth/kakao/logout/", data={"csrf_token": csrf_of(client.get("/").text)})
    assert client.get("/members/").status_code == 302


def test_nine_lines_of_the_readme(reader: Reader, kakao: FakeKakao) -> None:
    (block,) = [block for block in blocks_of(README) if block.language == "python"]
    assert len([line for line in block.text.splitlines() if line and not line.startswith("#")]) == 9
    reader.type_in([block])
    client = reader.prepare(reader.load("app").app).test_client()
    assert client.get("/").location == "/auth/?next=/"
    log_in(client, kakao)
    assert client.get("/").json == {"hello": "민지"}


# Into an app that was there


def test_shop_that_was_there(reader: Reader, kakao: FakeKakao) -> None:
    client = reader.prepare(reader.load("shop").create_app()).test_client()
    with client.session_transaction() as session:
        session.update(cart=["tea"], coupon="SPRING")
    assert client.get("/checkout/").location == "/account/?next=/checkout/"
    log_in(client, kakao, "/account", next="/checkout/")
    assert client.get("/checkout/").json == {"buyer": "민지", "cart": ["tea"]}
    with client.session_transaction() as session:
        assert "coupon" not in session
    assert client.post("/cart/milk/").status_code == 400  # its CSRFProtect
    token = csrf_of(client.get("/account/kakao/logout/").text)
    for path in ("/nowhere/", "/account/users/"):
        assert client.get(path).text == "The shop has no such page."
    assert client.post("/account/kakao/logout/", data={"csrf_token": token}).location == "/"
    assert client.get("/").json == {"cart": []}


# The book club


@pytest.fixture
def club(reader: Reader) -> Callable[..., Flask]:
    def make(**config: Any) -> Flask:
        return reader.prepare(reader.load("bookclub").create_app(config))

    return make


def make_staff(app: Flask) -> None:
    with app.app_context():
        ours.session.query(User).one().is_staff = True
        ours.session.commit()


def test_every_view_of_the_club_is_opened_below(club: Callable[..., Flask]) -> None:
    views = {rule.rule for rule in club().url_map.iter_rules() if rule.endpoint.startswith("club.")}
    assert views == {"/books/", "/members/", "/books/delete-all/", "/api/books/", "/from-kakao/"}


def test_pages_stand_in_the_readers_layout(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    client = club().test_client()
    page = client.get("/auth/").text
    assert "<nav></nav>" in page
    assert 'class="login kakao"' in page
    assert re.search(r'href="/auth/kakaoauth/style\.\w+\.css"', page)


def test_buttons_stand_on_any_page(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = club()
    app.add_url_rule("/mine/", "mine", lambda: render_template("buttons_of_mine.html"))
    client = app.test_client()
    page = client.get("/mine/").text
    assert re.findall(r'class="login kakao" href="([^"]+)"', page) == [
        "/auth/kakao/login/?next=/mine/",
        "/auth/kakao/login/?next=/books/",
    ]
    assert "<form" not in page
    log_in(client, kakao)
    assert 'action="/auth/kakao/logout/"' in client.get("/mine/").text


def test_guards_let_in_whom_the_table_says(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = club(KAKAOAUTH_FRONTEND_ORIGINS="https://app.example.kr")
    client = app.test_client()
    for path in ("/books/", "/members/"):
        assert client.get(path).location == f"/auth/?next={path}"
    log_in(client, kakao)
    assert client.get("/books/").json == {"owner": "민지", "books": ["어린 왕자"]}
    assert client.get("/members/").status_code == 403
    make_staff(app)
    assert client.get("/members/").json == {"members": 1}
    assert client.get("/api/books/").status_code == 401
    log_in(client, kakao, mode="jwt", next="https://app.example.kr/")
    assert client.get("/api/books/").json == {"books": 1}


def test_old_login_is_confirmed_before_all_books_are_deleted(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    client = club().test_client()
    log_in(client, kakao)
    assert client.post("/books/delete-all/").status_code == 204
    assert client.get("/books/").json == {"owner": "민지", "books": []}
    with time_machine.travel(time.time() + 301, tick=False):
        assert client.post("/books/delete-all/").location.startswith("/auth/users/me/confirm/?next=")


def test_hook_refuses_when_the_seats_are_taken(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    app = club(SEATS=1)
    assert log_in(app.test_client(), kakao).status_code == 302
    kakao.me = person(2002)
    answer = log_in(app.test_client(), kakao)
    assert (answer.status_code, "The club is full." in answer.text) == (403, True)


def test_hook_keeps_the_books_of_who_leaves(club: Callable[..., Flask], kakao: FakeKakao, reader: Reader) -> None:
    app = club()
    client = app.test_client()
    log_in(client, kakao)
    token = csrf_of(client.get("/auth/users/me/withdraw/").text)
    client.post("/auth/users/me/withdraw/", data={"csrf_token": token, "confirm": "yes"})
    bookclub = reader.load("bookclub")
    with app.app_context():
        assert ours.session.query(User).count() == 0
        assert [(book.title, book.owner) for book in bookclub.Book.query] == [("어린 왕자", None)]


def test_kakao_is_asked_as_the_current_user(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    client = club().test_client()
    log_in(client, kakao)
    answer = client.get("/from-kakao/").json
    assert answer
    assert answer["id"] == kakao.me["id"]


def test_front_end_logs_in_by_the_link_and_calls_the_api(club: Callable[..., Flask], kakao: FakeKakao) -> None:
    (link,) = [block.text for block in BLOCKS if block.text.startswith("<a href=")]
    (script,) = [block.text for block in BLOCKS if block.language == "js"]
    address = urlsplit(re.findall(r'href="([^"]+)"', link)[0])
    client = club(KAKAOAUTH_FRONTEND_ORIGINS="https://app.example.kr").test_client()
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert address.path == "/auth/kakao/login/"
    assert log_in(client, kakao, **query).location == "https://app.example.kr/"
    call = re.fullmatch(
        r'await fetch\("https://club\.example\.kr([^"]+)", \{\n  method: "(\w+)",\n  credentials: "include",\n'
        r"  headers: (\{.+\}),\n  body: JSON\.stringify\(\{ nickname: (.+) \}\),\n\}\);\n",
        script,
    )
    assert call, "the test does not understand the script any more"
    path, method, headers, nickname = call.groups()
    sent = {**json.loads(headers), "Origin": "https://app.example.kr"}
    answer = client.open(path, method=method, headers=sent, json={"nickname": json.loads(nickname)})
    assert (answer.status_code, answer.get_json()["nickname"]) == (200, "민지"), answer.text
    assert client.post("/auth/api/token/refresh/", headers=sent).status_code == 200
    assert client.post("/auth/api/token/revoke/", headers=sent).status_code == 200


def test_page_beside_the_reference_site(reader: Reader, kakao: FakeKakao) -> None:
    client = reader.prepare(reader.load("site_with_notes").app).test_client()
    assert client.get("/notes/").location == "/?next=/notes/"
    log_in(client, kakao, "")
    assert client.get("/notes/").json == {"hello": "민지"}


def test_tests_of_the_reader_pass(reader: Reader) -> None:
    assert "1 passed" in reader.run("pytest", "-q", "-p", "no:cacheprovider")


def test_gunicorn_starts_the_jobs(reader: Reader) -> None:
    (reader.folder / "try_it.py").write_text("""
import runpy, threading, types, bookclub
hooks = runpy.run_path("gunicorn.conf.py")
hooks["post_worker_init"](types.SimpleNamespace(wsgi=bookclub.create_app()))
print([thread.name for thread in threading.enumerate()])
""")
    assert "'retries'" in reader.run("try_it")


def test_sign_up_asks_for_the_readers_fields(reader: Reader, kakao: FakeKakao) -> None:
    circle = reader.load("reading_circle")
    client = reader.prepare(circle.create_app()).test_client()
    path = log_in(client, kakao).location
    page = client.get(path).text
    assert "Your favourite book" in page

    def press(favourite: str) -> Any:
        form = {"csrf_token": csrf_of(client.get(path).text), "more-favourite": favourite, "decision": "agree"}
        return client.post(path, data=form)

    assert press("").status_code == 422
    refused = press("A cookbook")
    assert (refused.status_code, "We read novels here." in refused.text) == (403, True)
    assert press("어린 왕자").location == "/"
    assert list(circle.favourites.values()) == ["어린 왕자"]


# Tables and commands


@pytest.mark.parametrize("page", [PAGE, PAGE.with_suffix(".ko.md")], ids=["english", "korean"])
def test_table_of_addresses_is_what_the_app_has(page: Path, club: Callable[..., Flask]) -> None:
    rules = {rule.endpoint: re.sub(r"<\w+:", "<", rule.rule) for rule in club().url_map.iter_rules()}
    features = {f"kakaoauth.{part.name}.": feature for feature, parts in FEATURES.items() for part in parts}
    row = r"^\| `(/[^`]*)` \| `([\w.]+)`(?:, .*`([\w.]+)`)? \| (?:`(\w+)` )?\|$"
    rows = re.findall(row, page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 15, "the pattern finds nothing any more"
    for path, *endpoints, told in rows:
        for endpoint in filter(None, endpoints):
            assert rules[endpoint] == f"/auth{path}"
            assert [feature for start, feature in features.items() if endpoint.startswith(start)] == [told] * bool(told)


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_command_exists(page: Path, line: str, reader: Reader) -> None:
    reader.type_in(blocks_of(page))
    words = shlex.split(line, comments=True)
    program, *rest = words
    if program == "kakaoauth":
        check_words(console, rest)
        reader.make(rest[1])
        if "--" in rest:
            check_words(FlaskGroup(), rest[rest.index("--") + 1 :], reader.make(rest[1]))
    elif program == "flask":
        option, name, *rest = rest
        assert option == "--app"
        check_words(FlaskGroup(), rest, reader.make(name))
    elif program == "gunicorn":
        (name,) = rest
        reader.make(name.removesuffix("()"))
    elif program == "pip":
        assert rest in (["install", "../kakaoauth[dev]"], ["install", "pytest"])
        assert "\ndev =\n" in (ROOT / "setup.cfg").read_text(encoding="utf-8")
    elif program == "make":
        assert f"\n{rest[0]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    elif program == "export":
        names = re.findall(r"\bFLASK_(\w+)=", line)
        assert names
        assert set(names) <= {*NAMES, "SQLALCHEMY_DATABASE_URI"}
    else:
        assert words in OTHER_COMMANDS, line


def check_words(command: click.Command, words: list[str], app: Flask | None = None) -> None:
    """Each word names a command of a group, or an option of the last one; what follows are values."""
    with click.Context(command, obj=ScriptInfo(create_app=lambda: app) if app else None) as context:
        for number, word in enumerate(words):
            if not isinstance(command, click.Group):
                known = {option for parameter in command.params for option in parameter.opts}
                given = [each for each in words[number:] if each.startswith("-")]
                assert set(given[: given.index("--")] if "--" in given else given) <= known
                return
            found = command.get_command(context, word)
            assert found, f"there is no {word}"
            command = found
