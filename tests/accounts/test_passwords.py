"""Local passwords of superusers: how they are kept, the commands that set them, the page that asks for them."""

import io
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import argon2
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support import FakeKakao, log_in, person, set_cookie
from support.passwords import real_passwords

from kakaoauth.accounts import password_login, passwords
from kakaoauth.audit import AuditEvent
from kakaoauth.errors import AccountDisabled, InvalidCredentials, Unavailable
from kakaoauth.models import User, find_user_by_email
from kakaoauth.storage.database import db
from kakaoauth.web import rate_limits

HANA = "hana@example.kr"
GOOD = "correct horse battery 말"

#: By the library itself. The cheap one is compared at once; a login that succeeds makes it anew.
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
DEAR = argon2.PasswordHasher().hash(GOOD)


@pytest.fixture(scope="module", autouse=True)
def passwords_cost_what_they_cost() -> Iterator[None]:
    with real_passwords():
        yield


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every hash that the library was asked about."""
    asked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def spy(self: argon2.PasswordHasher, stored: str, raw: bytes) -> bool:
        asked.append(stored)
        return verify(self, stored, raw)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", spy)
    return asked


@pytest.fixture
def hana(app: Flask, people: dict[str, int]) -> int:
    """A superuser with the password GOOD."""
    change(app, HANA, password_hash=CHEAP)
    return people["hana"]


def change(app: Flask, email: str, **values: Any) -> None:
    with app.app_context():
        user = find_user_by_email(email)
        assert user
        for name, value in values.items():
            setattr(user, name, value)
        db.session.commit()


def read(app: Flask, email: str, name: str) -> Any:
    with app.app_context():
        return getattr(find_user_by_email(email), name)


def trail(app: Flask) -> list[tuple[str, str, str, str]]:
    with app.app_context():
        rows = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id))
        return [(row.action, row.result, row.reason, row.provider) for row in rows]


# How they are kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "too short: use 12 characters or more"),
        ("elevenchars", "too short"),
        ("말" * 11, "too short"),
        ("\u1112\u1161\u11ab" * 11, "too short"),  # eleven syllables, in three parts each
        ("x" * 129, "too long: use 128 characters at most"),
        ("x" * 300_000, "too long"),
        ("not text \udcff at all", "not UTF-8 text"),
    ],
)
def test_password_that_will_not_do_says_why(text: str, why: str) -> None:
    user = User()
    with pytest.raises(ValueError, match=why) as refused:
        passwords.set_password(user, text)
    assert not text or text not in str(refused.value)
    assert user.password_hash is None


@pytest.mark.parametrize("text", [" " * 12, "말" * 128])
def test_password_is_what_its_owner_likes(text: str) -> None:
    user = User()
    passwords.set_password(user, text)
    stored = user.password_hash
    assert stored
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "RFC 9106, section 4, second recommendation"
    assert len(stored) < 255
    assert passwords.matches(stored, text)


def test_keyboard_does_not_matter() -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert passwords.matches(CHEAP, unicodedata.normalize(form, GOOD))
    assert passwords.matches(CHEAP, "ｃｏｒｒｅｃｔ horse battery 말"), "full width"


@pytest.mark.parametrize("text", ["", GOOD.upper(), GOOD + "x" * 400, "x" * 300_000, "\ud800" * 20, GOOD + "\0"])
def test_other_texts_do_not_match(text: str) -> None:
    assert not passwords.matches(CHEAP, text)


def test_nothing_matches_no_password(verified: list[str]) -> None:
    assert not passwords.matches(None, GOOD)
    assert verified == [passwords.NOBODYS]


def test_hash_of_nobody_takes_as_long_as_todays() -> None:
    assert not passwords.is_outdated(passwords.NOBODYS)
    assert passwords.is_outdated(CHEAP)


@pytest.mark.parametrize("stored", ["plain text", "$argon2id$v=19$m=65536", "pbkdf2:sha256:1$a$b"])
def test_broken_hash_lets_nobody_in(stored: str) -> None:
    assert not passwords.matches(stored, GOOD)


def test_crowd_waits_for_a_place_and_is_then_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for four at once, whatever the number of threads."""
    inside, leave = threading.Semaphore(0), threading.Event()

    def slow(_self: argon2.PasswordHasher, _stored: str, _raw: bytes) -> bool:
        inside.release()
        assert leave.wait(10)
        return True

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    threads = [threading.Thread(target=passwords.matches, args=(CHEAP, GOOD)) for _ in range(passwords.AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert inside.acquire(timeout=5)
        with pytest.raises(Unavailable):
            passwords.matches(CHEAP, GOOD)
        assert not inside.acquire(blocking=False)
    finally:
        leave.set()
        for thread in threads:
            thread.join()
    assert passwords.matches(CHEAP, GOOD), "there is room again"


# The verb


#: E-mail, password, and what is different about the superuser.
REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "unknown": ("nobody@example.kr", GOOD, {}),
    "wrong": (HANA, "another password", {}),
    "far too long": (HANA, "x" * 300_000, {}),
    "suspended, and wrong": (HANA, "another password", {"is_active": False}),
    "demoted": (HANA, GOOD, {"is_superuser": False}),
    "no password": (HANA, GOOD, {"is_superuser": True, "password_hash": None}),
}


def test_every_refusal_is_the_same_after_the_same_work(app: Flask, hana: int, verified: list[str]) -> None:
    for number, (case, (email, text, values)) in enumerate(REFUSED.items(), 1):
        change(app, HANA, **values)
        with app.app_context(), pytest.raises(InvalidCredentials) as refused:
            password_login.log_in_with_password(email, text)
        assert len(verified) == number, case
        assert not any(word in refused.value.reason for word in (email, text)), case
    assert trail(app) == [], "anybody may send as many as they like"


def test_suspended_superuser_is_told_so_only_with_the_right_password(app: Flask, hana: int) -> None:
    change(app, HANA, is_active=False)
    with app.app_context(), pytest.raises(AccountDisabled):
        password_login.log_in_with_password(HANA, GOOD)
    assert trail(app) == [("login", "refused", "ACCOUNT_DISABLED", "password")]


def test_right_password_gives_the_user_and_notes_the_login(app: Flask, hana: int) -> None:
    change(app, HANA, password_hash=DEAR)
    with app.app_context():
        assert password_login.log_in_with_password(" Hana@Example.KR", GOOD).id == hana
    assert read(app, HANA, "last_login")
    assert trail(app) == [("login", "done", "", "password")]
    assert read(app, HANA, "password_hash") == DEAR


def test_old_hash_is_made_anew_at_a_login_and_logs_nobody_out(app: Flask, hana: int) -> None:
    with app.app_context():
        password_login.log_in_with_password(HANA, GOOD)
    stored = read(app, HANA, "password_hash")
    assert not passwords.is_outdated(stored)
    assert passwords.matches(stored, GOOD)
    assert read(app, HANA, "session_version") == 0


# The commands

Type = Callable[..., Result]


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(app: Flask) -> Type:
    """`flask ARGUMENTS` with that standard input."""

    def run(*arguments: str, stdin: Any = None) -> Result:
        result = app.test_cli_runner().invoke(args=list(arguments), input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "horse" not in result.output
        return result

    return run


def test_superuser_is_made_with_a_password(app: Flask, run: Type) -> None:
    result = run("users", "create-superuser", "--email", HANA, "--password-stdin", stdin=f"{GOOD}\nsecond line\n")
    with app.app_context():
        until = f"{db.session.scalars(db.select(User)).one().claimable_until:%Y-%m-%d %H:%M}"
    assert result.output == (
        "hana@example.kr is a superuser now. They come in by logging in with that e-mail address within 7 days, "
        f"until {until} UTC.\n"
        "On a day when that does not work, they come in at /login/ with the password.\n"
    )
    assert post(app.test_client()).status_code == 302


def test_superuser_without_the_option_has_no_password(app: Flask, run: Type) -> None:
    run("users", "create-superuser", "--email", HANA, stdin=f"{GOOD}\n")
    assert read(app, HANA, "password_hash") is None


@pytest.mark.parametrize(
    ("stdin", "why"),
    [("short horse\n", "too short"), ("", "too short"), ("\n", "too short"), (b"horse \xff horse\n", "not UTF-8 text")],
)
def test_password_that_will_not_do_makes_no_superuser(app: Flask, run: Type, stdin: Any, why: str) -> None:
    result = run("users", "create-superuser", "--email", HANA, "--password-stdin", stdin=stdin)
    assert result.exit_code == 1
    assert re.fullmatch(f"Error: the password is {why}.*\n", result.output)
    with app.app_context():
        assert db.session.query(User).count() == 0


def test_line_end_is_no_part_of_the_password_and_blanks_are(app: Flask, run: Type, hana: int) -> None:
    run("users", "set-password", HANA, "--password-stdin", stdin=" my other password \r\n")
    assert passwords.matches(read(app, HANA, "password_hash"), " my other password ")


def test_terminal_does_not_show_what_is_typed(app: Flask, run: Type, hana: int) -> None:
    typed = Terminal(b"horses eat no cucumber\n" * 2)
    result = run("users", "set-password", HANA, "--password-stdin", stdin=typed)
    assert result.output.endswith("hana@example.kr has a new password, and is logged out everywhere.\n")
    assert passwords.matches(read(app, HANA, "password_hash"), "horses eat no cucumber")


def test_new_password_ends_sessions_and_the_old_password(
    app: Flask, run: Type, client_as: Callable[[str], FlaskClient], hana: int
) -> None:
    browser = client_as("hana")
    assert browser.get("/users/me/").status_code == 200
    result = run("users", "set-password", "Hana@example.kr", "--password-stdin", stdin="my other password\n")
    assert result.output == "Hana@example.kr has a new password, and is logged out everywhere.\n"
    assert browser.get("/users/me/").status_code == 302
    assert post(app.test_client()).status_code == 401


def test_removed_password_opens_nothing(app: Flask, run: Type, hana: int) -> None:
    browser = app.test_client()
    assert post(browser).status_code == 302
    result = run("users", "set-password", HANA, "--remove")
    assert result.output == "hana@example.kr has no password any more, and is logged out everywhere.\n"
    assert read(app, HANA, "password_hash") is None
    assert browser.get("/users/me/").status_code == 302
    assert post(app.test_client()).status_code == 401


def test_set_password_refuses(app: Flask, run: Type, hana: int) -> None:
    def refusal(*arguments: str) -> tuple[int, str]:
        result = run("users", "set-password", *arguments, stdin="my other password\n")
        return result.exit_code, result.output.splitlines()[-1]

    for email, why in (
        ("minji@example.kr", "only superusers have a password: use promote first"),
        ("nobody@example.kr", "no account has the e-mail address nobody@example.kr"),
    ):
        assert refusal(email, "--password-stdin") == (1, f"Error: {why}")
    for arguments in ((HANA,), (HANA, "--remove", "--password-stdin")):
        assert refusal(*arguments) == (2, "Error: say which: --password-stdin or --remove")
    assert read(app, HANA, "password_hash") == CHEAP
    assert read(app, "minji@example.kr", "password_hash") is None


# The page


def post(client: FlaskClient, **form: str) -> Any:
    page = client.get("/login/", query_string={"next": form["next"]} if "next" in form else {})
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return client.post("/login/", data={**hidden, "email": HANA, "password": GOOD, **form})


def test_form_is_there_for_browsers_and_password_managers(client: FlaskClient) -> None:
    page = client.get("/login/?lang=en&next=/users/")
    assert page.status_code == 200
    assert 'autocomplete="username"' in page.text
    assert 'autocomplete="current-password"' in page.text
    assert 'name="next" value="/users/"' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "비밀번호로 로그인" in client.get("/login/?lang=ko").text


def test_no_page_leads_to_it(client: FlaskClient, client_as: Callable[[str], FlaskClient]) -> None:
    for text in (client.get("/").text, client_as("hana").get("/").text):
        assert 'href="/login/' not in text


def test_superuser_comes_in_while_kakao_is_away(app: Flask, hana: int, kakao: FakeKakao, redis: Redis) -> None:
    browser = app.test_client()
    browser.get("/login/")
    planted = set_cookie(browser)
    answer = post(browser, next="/users/?q=a")
    assert (answer.status_code, answer.location) == (302, "/users/?q=a")
    assert set_cookie(browser) != planted, "a new id at login"
    assert len(redis.keys("session:*")) == 1, "and the old one is dead"
    assert browser.get("/users/").status_code == 200
    assert kakao.calls == []


def test_wrong_password_shows_the_same_page_again(app: Flask, hana: int) -> None:
    def page(email: str, password: str) -> str:
        answer = post(app.test_client(), email=email, password=password, next="/users/")
        assert answer.status_code == 401
        assert 'data-code="INVALID_CREDENTIALS"' in answer.text
        assert "이메일 주소나 비밀번호가 맞지 않아요" in answer.text
        assert 'name="next" value="/users/"' in answer.text
        assert f'value="{email}"' in answer.text
        assert not password or password not in answer.text
        return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text).replace(email, "")

    wrong = page(HANA, "another password")
    assert page("nobody@example.kr", GOOD) == wrong
    assert page("hana@example.kr", "") == wrong


def test_what_was_typed_is_shown_harmlessly(app: Flask) -> None:
    page = post(app.test_client(), email='"><script>alert(1)</script>' + "x" * 500, next="//evil.example/")
    assert "<script>" not in page.text
    assert "x" * 255 not in page.text
    assert "evil.example" not in page.text


def test_suspended_superuser_is_not_let_in(app: Flask, hana: int) -> None:
    change(app, HANA, is_active=False)
    browser = app.test_client()
    answer = post(browser)
    assert answer.status_code == 403
    assert 'data-code="ACCOUNT_DISABLED"' in answer.text
    assert browser.get("/users/me/").status_code == 302


def test_next_is_a_page_of_ours(client: FlaskClient) -> None:
    for target in ("https://evil.example/", "//evil.example", "/login/", "/kakao/login/", "/nowhere/"):
        page = client.get("/login/", query_string={"next": target})
        assert 'name="next" value="/"' in page.text, target
    assert 'name="next" value="/"' in client.get("/login/?next=/users/&next=/users/me/").text, "two are none"


def test_next_is_no_front_end(make_app: Callable[..., Flask]) -> None:
    """Our own policy keeps a form from leading there; the browser would stay on a page that does nothing."""
    app = make_app(KAKAOAUTH_FRONTEND_ORIGINS="https://front.example")
    page = app.test_client().get("/login/", query_string={"next": "https://front.example/welcome"})
    assert 'name="next" value="/"' in page.text


def test_who_is_in_already_goes_on(client_as: Callable[[str], FlaskClient], hana: int) -> None:
    sora = client_as("sora")
    assert sora.get("/login/?next=/users/me/").location == "/users/me/"
    token = re.findall(r'name="csrf_token" value="([^"]*)"', sora.get("/users/me/").text)[0]
    answer = sora.post("/login/", data={"csrf_token": token, "email": HANA, "password": GOOD})
    assert answer.location == "/"
    assert "sora" in sora.get("/").text


def test_foreign_form_logs_nobody_in(app: Flask, hana: int) -> None:
    browser = app.test_client()
    for token in ("", "made up"):
        assert post(browser, csrf_token=token).status_code == 400
    browser.environ_base["HTTP_ORIGIN"] = "https://evil.example"
    assert post(browser).status_code == 400
    assert browser.get("/users/me/").status_code == 302


def test_too_many_guesses_close_the_account_for_a_quarter_of_an_hour(app: Flask, hana: int, redis: Redis) -> None:
    for number in range(10):
        answer = post(app.test_client(), password=f"wrong number {number}")
        assert answer.status_code == 401
    answer = post(app.test_client())
    assert answer.status_code == 429, "the right password as well, or it would be told by that"
    assert 840 < int(answer.headers["Retry-After"]) <= 900
    assert "15분 뒤에" in answer.text
    (key,) = redis.keys("rate:*password_account*")
    redis.expire(key, 0)
    assert post(app.test_client()).status_code == 302


def test_one_address_may_not_try_many_accounts(app: Flask, hana: int, verified: list[str]) -> None:
    limit = rate_limits.ITEMS["password"]
    app.extensions["kakaoauth_rate_limits"].hit(limit, "password", "127.0.0.1", cost=limit.amount)
    answer = post(app.test_client())
    assert answer.status_code == 429
    assert "잠시 기다렸다가" in answer.text
    assert verified == []


def test_password_is_nowhere_in_the_log(app: Flask, hana: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    post(app.test_client(), password="my canary password")
    post(app.test_client(), email="canary@example.kr")
    post(app.test_client())
    text = caplog.text
    assert f"why=wrong password for user {hana}" in text
    assert f"login user={hana} provider=password" in text
    assert not [word for word in ("canary", "horse", HANA, "$argon2") if word in text]


def test_account_with_a_password_is_still_taken_over_by_its_kakao_login(
    app: Flask, run: Type, kakao: FakeKakao
) -> None:
    run("users", "create-superuser", "--email", HANA, "--password-stdin", stdin=f"{GOOD}\n")
    kakao.me = person(7, email=HANA)
    assert log_in(app.test_client(), kakao).status_code == 302
    assert post(app.test_client()).status_code == 302
    with app.app_context():
        assert db.session.query(User).count() == 1
