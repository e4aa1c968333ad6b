"""What the operator types, what it says, and how it ends."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from support import FakeKakao, log_in, person

from kakaoauth.accounts.notes import UserTag
from kakaoauth.cli import console
from kakaoauth.models import User, find_user_by_email
from kakaoauth.storage.database import Base, db

Type = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Type:
    """`flask ARGUMENTS`, without a traceback whatever happens."""

    def run(*arguments: str) -> Result:
        result = app.test_cli_runner().invoke(args=list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return run


def roles(app: Flask, email: str) -> tuple[bool, bool] | None:
    with app.app_context():
        user = find_user_by_email(email)
        return (user.is_staff, user.is_superuser) if user else None


def test_superuser_is_made_and_comes_in_by_logging_in(app: Flask, run: Type, kakao: FakeKakao) -> None:
    result = run("users", "create-superuser", "--email", " Hana@example.kr ")
    assert result.exit_code == 0
    with app.app_context():
        until = f"{find_user_by_email('hana@example.kr').claimable_until:%Y-%m-%d %H:%M}"
    assert result.output == (
        "Hana@example.kr is a superuser now. They come in by logging in with that e-mail address within 7 days, "
        f"until {until} UTC.\n"
    )
    client = app.test_client()
    kakao.me = person(7, email="hana@example.kr")
    log_in(client, kakao)
    assert client.get("/users/").status_code == 200


@pytest.mark.parametrize("email", ["hana", "", " ", "hana@", "a@b\x1b[31m.kr"])
def test_superuser_needs_an_address(app: Flask, run: Type, email: str) -> None:
    result = run("users", "create-superuser", "--email", email)
    assert (result.exit_code, result.output) == (1, "Error: not an e-mail address\n")
    with app.app_context():
        assert db.session.query(User).count() == 0


def test_superuser_without_the_option_is_a_question_of_usage(run: Type) -> None:
    result = run("users", "create-superuser")
    assert result.exit_code == 2
    assert "Missing option '--email'" in result.output


def test_second_account_with_one_address_points_to_promote(app: Flask, run: Type, people: dict[str, int]) -> None:
    result = run("users", "create-superuser", "--email", "MINJI@example.kr")
    assert (result.exit_code, result.output) == (
        1,
        "Error: an account with this e-mail exists already: use promote\n",
    )
    assert roles(app, "minji@example.kr") == (False, False)


def test_promotion_says_what_the_person_is_now(app: Flask, run: Type, people: dict[str, int]) -> None:
    result = run("users", "promote", "Minji@example.kr", "--staff")
    assert (result.exit_code, result.output) == (0, "Minji@example.kr is staff now.\n")
    assert roles(app, "minji@example.kr") == (True, False)
    result = run("users", "promote", "minji@example.kr", "--superuser")
    assert (result.exit_code, result.output) == (0, "minji@example.kr is a superuser now.\n")
    assert roles(app, "minji@example.kr") == (True, True)


def test_promotion_of_a_superuser_to_staff_does_not_say_they_are_less(
    app: Flask, run: Type, people: dict[str, int]
) -> None:
    result = run("users", "promote", "hana@example.kr", "--staff")
    assert roles(app, "hana@example.kr") == (True, True)
    assert (result.exit_code, result.output) == (0, "hana@example.kr is a superuser now.\n")


def test_promotion_needs_a_role(app: Flask, run: Type, people: dict[str, int]) -> None:
    result = run("users", "promote", "minji@example.kr")
    assert result.exit_code == 2
    assert "say which role: --staff or --superuser" in result.output
    assert roles(app, "minji@example.kr") == (False, False)


@pytest.mark.parametrize("command", [("promote", "--staff"), ("demote",)])
def test_role_of_nobody(run: Type, people: dict[str, int], command: tuple[str, ...]) -> None:
    result = run("users", *command, "nobody@example.kr")
    assert (result.exit_code, result.output) == (1, "Error: no account has the e-mail address nobody@example.kr\n")


def test_demotion_takes_every_role(app: Flask, run: Type, people: dict[str, int]) -> None:
    run("users", "promote", "minji@example.kr", "--superuser")
    result = run("users", "demote", "hana@example.kr")
    assert (result.exit_code, result.output) == (0, "hana@example.kr has no role now.\n")
    assert roles(app, "hana@example.kr") == (False, False)


def test_last_superuser_is_kept(app: Flask, run: Type, people: dict[str, int]) -> None:
    result = run("users", "demote", "hana@example.kr")
    assert (result.exit_code, result.output) == (
        1,
        "Error: this is the last active superuser: make another one first\n",
    )
    assert roles(app, "hana@example.kr") == (True, True)


def test_demotion_works_on_the_next_request(
    app: Flask, run: Type, client_as: Callable[[str], Any], people: dict[str, int]
) -> None:
    sora = client_as("sora")
    assert sora.get("/users/").status_code == 200
    run("users", "demote", "sora@example.kr")
    assert sora.get("/users/").status_code == 403


def test_list_shows_everybody_newest_first(run: Type, app: Flask, people: dict[str, int]) -> None:
    with app.app_context():
        find_user_by_email("gone@example.kr").is_active = False  # type: ignore[union-attr]
        User.objects.create_user(None)
        db.session.commit()
    result = run("users", "list")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "5\t-\t-\tuser\tactive",
        "4\tgone@example.kr\tgone\tuser\tsuspended",
        "3\thana@example.kr\thana\tsuperuser\tactive",
        "2\tsora@example.kr\tsora\tstaff\tactive",
        "1\tminji@example.kr\tminji\tuser\tactive",
    ]


@pytest.mark.parametrize("search", ["minji", "MINJI@", "1", "1000"])
def test_list_can_be_searched(run: Type, people: dict[str, int], search: str) -> None:
    assert run("users", "list", "--search", search).output == "1\tminji@example.kr\tminji\tuser\tactive\n"


@pytest.mark.parametrize("search", ["nobody", "%", "9" * 5000])
def test_search_for_nobody_prints_nothing(run: Type, people: dict[str, int], search: str) -> None:
    result = run("users", "list", "--search", search)
    assert (result.exit_code, result.output) == (0, "")


def test_list_takes_the_filters_of_the_page(run: Type, app: Flask, people: dict[str, int]) -> None:
    with app.app_context():
        minji = db.session.get(User, people["minji"])
        minji.email = minji.email_key = None
        db.session.get(User, people["sora"]).last_login = datetime(2026, 3, 4, 15, tzinfo=UTC)
        db.session.add(UserTag(user_id=people["hana"], tag="vip"))
        find_user_by_email("gone@example.kr").is_active = False  # type: ignore[union-attr]
        db.session.commit()
    for options, expected in {
        ("--no-email",): ["minji"],
        ("--login-from", "2026-03-05", "--login-until", "2026-03-05"): ["sora"],
        ("--tag", "vip"): ["hana"],
        ("--linked", "facebook"): [],
        ("--state", "suspended"): ["gone"],
        ("--role", "superuser", "--search", "hana"): ["hana"],
    }.items():
        lines = run("users", "list", *options).output.splitlines()
        assert [line.split("\t")[2] for line in lines] == expected, options


def test_list_is_whole_however_long(run: Type, app: Flask) -> None:
    with app.app_context():
        db.session.add_all([User(nickname=f"u{number}") for number in range(1203)])
        db.session.commit()
    lines = run("users", "list").output.splitlines()
    assert len({line.split("\t")[0] for line in lines}) == len(lines) == 1203


def test_nickname_does_not_steer_the_terminal(run: Type, app: Flask) -> None:
    with app.app_context():
        User.objects.create_user(None, nickname="\x1b[2J\x1b]0;owned\x07a\tb\nc\r\x9b31m\u202e\u2028d")
        db.session.commit()
    (line,) = run("users", "list").output.splitlines()
    assert all(char.isprintable() or char == "\t" for char in line)
    assert line.count("\t") == 4


def test_address_does_not_steer_the_terminal(run: Type, people: dict[str, int]) -> None:
    result = run("users", "demote", "\x1b]0;owned\x07@example.kr")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        (("users", "list"), "flask --app wsgi db upgrade"),
        (("users", "promote", "hana@example.kr", "--staff"), "flask --app wsgi db upgrade"),
        (("audit", "prune"), "flask --app wsgi db upgrade"),
        (("tokens", "rotate-keys"), "flask --app wsgi db upgrade"),
        (("kakao", "rotate-keys"), "flask --app wsgi db upgrade"),
        (("kakao", "retry"), "flask --app wsgi db upgrade"),
        (("kakaoauth", "users", "list"), "flask kakaoauth upgrade"),
    ],
)
def test_database_without_tables_is_one_line_with_the_cure(
    app: Flask, run: Type, command: tuple[str, ...], cure: str
) -> None:
    with app.app_context():
        Base.metadata.drop_all(db.engine)
    result = run(*command)
    assert (result.exit_code, result.output) == (
        1,
        f"Error: the database has no tables of kakaoauth yet: run: {cure}\n",
    )


def test_refusal_of_the_database_shows_no_values(app: Flask, run: Type) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users RENAME COLUMN email_key TO elsewhere")
    result = run("users", "promote", "hana@example.kr", "--staff")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert result.output.startswith("Error: the database refuses: ")
    assert "hana@example.kr" not in result.output


@pytest.mark.parametrize("command", ["restore", "erase", "lift-suspension"])
@pytest.mark.parametrize("number", ["0", "9223372036854775808", "9" * 30, "하나"])
def test_number_that_no_user_can_have_is_a_question_of_usage(run: Type, command: str, number: str) -> None:
    result = run("users", command, number)
    assert result.exit_code == 2
    assert "Invalid value for 'NUMBER'" in result.output


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999", "포트"])
def test_port_that_no_server_can_have_is_a_question_of_usage(run: Type, port: str) -> None:
    assert run("kakao", "sandbox", f"--port={port}").exit_code == 2
    for option in ("--port", "--sandbox-port"):
        assert CliRunner().invoke(console.main, ["dev", "app", f"{option}={port}"]).exit_code == 2


def test_help_names_every_command(run: Type) -> None:
    listed = run("users", "--help").output
    assert all(name in listed for name in ("create-superuser", "set-password", "promote", "demote", "list"))
    assert "sandbox" in run("kakao", "--help").output


def test_site_does_not_load_the_sandbox() -> None:
    look = "import sys, kakaoauth.site; print([name for name in sys.modules if name.startswith('kakaoauth.sandbox')])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
