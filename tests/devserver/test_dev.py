"""`kakaoauth dev MODULE:APP`, with real processes: an app outside the repository, and what is embedded for it."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from support.concurrency import until
from support.ports import free_ports
from support.programs import Ended, Program, run_program

#: Generous: the machine may be busy with other tests.
SECONDS = 60.0
DEV = ("kakaoauth.cli.console", "dev")
APP = """
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from kakaoauth import KakaoAuth, User, current_user, login_required

db = SQLAlchemy()


class Book(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    owner_id = db.Column(db.ForeignKey(User.id))


def create_app():
    app = Flask(__name__)
    app.config.from_prefixed_env()
    db.init_app(app)
    Migrate(app, db)
    KakaoAuth(app, db=db, url_prefix="/members")

    @app.get("/")
    @login_required
    def home():
        return f"{db.session.query(Book).count()} books of {current_user.nickname}"

    return app
"""
REFUSED = {
    "nowhere": "no module nowhere in {folder}: run this in the folder of your app's module",
    "empty": "Failed to find Flask application or factory in module 'empty'",
    "two": "Detected multiple Flask applications in module 'two'. Use 'two:name' to specify the correct one",
    "plain": "plain has no kakaoauth: call KakaoAuth(app, ...) or auth.init_app(app, ...) in it",
    "short": "SECRET_KEY is too short: use 32 random characters or more",
    "bookclub:nothing": "Failed to find attribute 'nothing' in 'bookclub': kakaoauth dev MODULE:APP names it",
    "needs": "needs cannot be imported: ModuleNotFoundError: No module named 'what_is_not_installed'",
}
MODULES = {
    "empty": "",
    "two": "from flask import Flask\none, other = Flask('one'), Flask('other')",
    "plain": "from flask import Flask\napp = Flask(__name__)",
    "short": (
        "from flask import Flask\nfrom kakaoauth import KakaoAuth\n"
        "app = Flask(__name__)\napp.config['SECRET_KEY'] = 'dev'\nKakaoAuth(app)"
    ),
    "needs": "import what_is_not_installed",
    "own": (
        "import os\nfrom flask import Flask\nfrom kakaoauth import KakaoAuth\n"
        "app = Flask(__name__)\napp.config['DATABASE_URL'] = 'sqlite:///' + os.path.abspath('own.db')\nKakaoAuth(app)"
    ),
    "environ": (
        "import os\nfrom flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\nfrom kakaoauth import KakaoAuth\n"
        "app = Flask(__name__)\napp.config.update((name, os.environ[name]) for name in"
        " ('SECRET_KEY', 'REDIS_URL', 'KAKAO_CLIENT_ID'))\n"
        "app.config['SQLALCHEMY_DATABASE_URI'] = os.environ['DATABASE_URL']\nKakaoAuth(app, db=SQLAlchemy(app))"
    ),
}


class Folder:
    """Somebody's folder, with their app in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.port, self.sandbox_port = free_ports(2)
        self.log = self.path / "dev.log"
        kept = ("PATH", "HOME", "TMPDIR", "LANG")
        self.env = {name: os.environ[name] for name in kept if name in os.environ}
        self.ports = (f"--port={self.port}", f"--sandbox-port={self.sandbox_port}")
        self.write(APP)

    def write(self, source: str, name: str = "bookclub") -> None:
        # In one step: the reloader shall not read half a file.
        draft = self.path / f"{name}.draft"
        draft.write_text(source)
        draft.rename(self.path / f"{name}.py")

    def run(self, *arguments: str) -> Ended:
        return run_program(*DEV, *self.ports, *arguments, env=self.env, cwd=self.path)

    @property
    def output(self) -> str:
        return self.log.read_text()

    def url(self, path: str = "/") -> str:
        return f"http://localhost:{self.port}{path}"


@pytest.fixture
def folder() -> Iterator[Folder]:
    """Short, so that the socket fits."""
    path = Path(tempfile.mkdtemp(prefix="ka-dev-"))
    yield Folder(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder: Folder) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def begin(*arguments: str, up: str = "Ctrl-C") -> Program:
        folder.log.touch()
        program = Program(*DEV, *folder.ports, *arguments, env=folder.env, stdout=folder.log, cwd=folder.path)
        started.append(program)
        until(lambda: up in folder.output or program.poll() is not None, SECONDS)
        assert program.poll() is None, folder.output
        return program

    yield begin
    for program in started:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
            program.wait(SECONDS)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]


def log_in(browser: requests.Session, folder: Folder) -> requests.Response:
    sandbox = f"http://127.0.0.1:{folder.sandbox_port}"
    chooser = browser.get(folder.url("/members/kakao/login/"), timeout=SECONDS).text
    chosen = {"request": hidden(chooser, "request"), "person": "haneul"}
    consent = browser.post(f"{sandbox}/oauth/authorize/person", data=chosen, timeout=SECONDS).text
    agreed = {"request": hidden(consent, "request"), "item": ["account_email"], "decision": "agree"}
    return browser.post(f"{sandbox}/oauth/authorize/consent", data=agreed, timeout=SECONDS)


def test_somebodys_app_is_served_with_all_it_needs_and_reloads(folder: Folder, start: Callable[..., Program]) -> None:
    for words in (("db", "init"), ("db", "migrate", "-m", "books")):
        done = folder.run("bookclub:create_app", "--", *words)
        assert done.returncode == 0, done.stderr
    program = start("bookclub:create_app")
    for words in (folder.url(""), f"http://127.0.0.1:{folder.sandbox_port}", "instance/redis", "instance/app.db"):
        assert words in folder.output
    assert "yours in migrations: up to date" in folder.output
    second = folder.run("bookclub")
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert f"kakaoauth dev is already running in this folder (process {program.pid})" in second.stderr
    with requests.Session() as browser:
        landed = log_in(browser, folder)
        assert (landed.url, landed.text) == (folder.url(), "0 books of 하늘다람쥐"), folder.output

        def shows(text: str) -> bool:
            try:
                return text in browser.get(folder.url(), timeout=SECONDS).text
            except requests.RequestException:  # to a server that ends, because a file has changed
                return False

        for name, value in (("Host", "evil.example"), ("X-Forwarded-For", "203.0.113.1")):
            for path in ("/", "/members/", "/console"):
                answer = requests.get(folder.url(path), headers={name: value}, timeout=SECONDS)
                assert answer.status_code in (400, 403), (name, path)
        assert "Traceback" not in folder.output

        folder.write(APP.replace("books of", "papers of"))
        until(lambda: shows("0 papers of 하늘다람쥐"), SECONDS)
        folder.write(f"{APP}\nhalf a line (")
        until(lambda: shows("SyntaxError"), SECONDS)
        assert "half a line (" in folder.output
        foreign = requests.get(folder.url(), headers={"Host": "evil.example"}, timeout=SECONDS)
        assert (foreign.status_code, "half a line" in foreign.text) == (500, False)
        folder.write(APP.replace("books of", "maps of"))
        until(lambda: shows("0 maps of 하늘다람쥐"), SECONDS)
    assert "/members/kakao/login/callback/ 302" in folder.output  # without its code and state
    os.killpg(program.pid, signal.SIGINT)
    assert program.wait(SECONDS) == 0
    assert folder.output.endswith("Stopped.\n")
    assert not list((folder.path / "instance" / "run").glob("*.pid"))


@pytest.mark.parametrize(("name", "file"), [("own", "own.db"), ("environ", "instance/app.db")])
def test_app_has_the_database_that_it_names_or_else_a_file(folder: Folder, name: str, file: str) -> None:
    folder.write(MODULES[name], name)
    done = folder.run(name, "--", "kakaoauth", "upgrade")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder.path / file)) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert [path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*.db")] == [file]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_named_in_one_line_with_the_cure(folder: Folder, name: str) -> None:
    if name in MODULES:
        folder.write(MODULES[name], name)
    done = folder.run(name)
    assert done.returncode == 1
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1), done.stderr
    assert done.stderr.startswith(f"kakaoauth: {REFUSED[name].format(folder=folder.path)}")


def test_mistake_in_the_app_is_shown_with_its_place(folder: Folder) -> None:
    folder.write("def create_app():\n    return 1 / 0\n")
    done = folder.run("bookclub:create_app")
    assert done.returncode == 1
    assert f'{folder.path}/bookclub.py", line 2, in create_app' in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.endswith("kakaoauth: bookclub:create_app cannot be loaded: correct what is shown above\n")


def test_taken_port_is_named_with_the_option(folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = folder.run("bookclub", f"--port={port}")
    line = f"kakaoauth: port {port} is taken by another program: choose another, e.g. --port 8010\n"
    assert (done.returncode, done.stderr) == (1, line)
