"""How things go wrong: what a person sees, what a program gets, what the log keeps, and what none of them may hold."""

import contextlib
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.exc import DataError, IntegrityError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kakaoauth import errors
from kakaoauth.errors import (
    AppError,
    EmailInUse,
    EmailRequired,
    Forbidden,
    FreshLoginRequired,
    InvalidFields,
    Misconfigured,
    ProviderBusy,
    ProviderUnavailable,
    RateLimited,
    Refused,
    TermsRequired,
    UntilThen,
    from_dict,
    one_line,
)

CANARY = "canary-of-the-exception"


def family() -> list[type[AppError]]:
    found = [AppError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == errors.__name__]


def sample(kind: type[AppError]) -> AppError:
    """One of them, with everything it can hold."""
    error = made(kind)
    error.provider = "kakao"
    return error


def made(kind: type[AppError]) -> AppError:
    if kind is EmailRequired:
        return EmailRequired("not_agreed", consent=("account_email",))
    if issubclass(kind, UntilThen):
        return kind("2026-12-13T00:57:53+00:00", user_id=7)
    if kind is EmailInUse:
        return EmailInUse("kakao")
    if kind is InvalidFields:
        return InvalidFields({"limit": "must be a number"})
    if kind is RateLimited:
        return RateLimited(90)
    if kind is FreshLoginRequired:
        return FreshLoginRequired(300)
    if kind is TermsRequired:
        return TermsRequired([{"id": "tos", "title": "Terms", "url": None, "version": "1", "required": True}])
    if kind is Refused:  # what it is given is for the person
        return kind()
    return kind("what happened", provider_code="KOE320")


@pytest.fixture
def broken(make_app: Callable[..., Flask]) -> Iterator[Callable[[BaseException], FlaskClient]]:
    """A site on which /broken/ and /api/broken/ and /webhooks/broken/ raise this."""

    def broken(error: BaseException) -> FlaskClient:
        app = make_app(TESTING=False)

        def view() -> str:
            raise error

        for number, path in enumerate(("/broken/", "/api/broken/", "/webhooks/broken/")):
            app.add_url_rule(path, f"broken{number}", view)
        return app.test_client()

    return broken


# Pages and problem documents


@pytest.mark.parametrize("kind", family(), ids=lambda kind: kind.__name__)
def test_every_error_is_a_page_and_a_problem_document(
    broken: Callable[[BaseException], FlaskClient], kind: type[AppError]
) -> None:
    error = sample(kind)
    client = broken(error)
    page = client.get("/broken/?lang=en")
    assert (page.status_code, page.mimetype) == (error.status, "text/html")
    assert f'data-code="{error.code}"' in page.text
    title = error.title._args[0].replace("%(provider)s", "Kakao").replace("'", "&#39;")  # type: ignore[attr-defined]
    assert f"<h1>{title}</h1>" in page.text
    problem = client.get("/api/broken/?lang=en")
    assert (problem.status_code, problem.content_type) == (error.status, "application/problem+json")
    assert problem.json is not None
    assert (problem.json["type"], problem.json["status"], problem.json["code"]) == (
        "about:blank",
        error.status,
        error.code,
    )
    assert re.fullmatch(r"urn:kakaoauth:[0-9a-f]{8}", problem.json["instance"])
    assert problem.json["detail"]
    for answer in (page, problem):
        assert answer.headers.get("Retry-After") == (str(error.retry_after) if error.retry_after else None)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "what happened" not in answer.text, "the reason is for the log"


def test_error_about_a_provider_that_nobody_named_names_none(broken: Callable[[BaseException], FlaskClient]) -> None:
    for kind in family():
        client = broken(made(kind))
        for language, name in (("en", "the login provider"), ("ko", "로그인 서비스")):
            page = client.get(f"/broken/?lang={language}").text.split("<footer")[0]
            title, message = (re.search(f"<{tag}>(.+?)</{tag}>", page)[1] for tag in ("h1", "p"))  # type: ignore[index]
            text = kind.title._args[0]  # type: ignore[attr-defined]
            assert ("%(provider)s" in text) == (name in title.lower()), kind
            assert title[0] == title[0].upper(), kind
            if kind is not errors.Tunnelled and not issubclass(kind, EmailInUse):
                assert not re.search("kakao|카카오", (title + message).lower()), kind


def test_every_error_speaks_both_languages(broken: Callable[[BaseException], FlaskClient]) -> None:
    for kind in family():
        error = sample(kind)
        client = broken(error)
        korean, english = (client.get(f"/broken/?lang={language}").text for language in ("ko", "en"))
        title, message = (re.search(f"<{tag}>(.+?)</{tag}>", korean)[1] for tag in ("h1", "p"))  # type: ignore[index]
        assert re.search("[가-힣]", title), kind
        assert re.search("[가-힣]", message), kind
        assert not re.search("[가-힣]", re.sub("<footer>.*</footer>", "", english, flags=re.S)), kind


def test_every_case_of_a_missing_email_has_words_in_both_languages(
    broken: Callable[[BaseException], FlaskClient],
) -> None:
    for case in EmailRequired.CASES:
        client = broken(EmailRequired(case, consent=("account_email",)))
        problem = client.get("/api/broken/", headers={"Accept-Language": "ko"}).json
        assert problem is not None
        assert (problem["case"], problem["required_scopes"]) == (case, ["account_email"])
        assert re.search("[가-힣]", problem["detail"]), case
        assert not re.search("[가-힣]", client.get("/broken/?lang=en").text.split("<footer>")[0]), case


def test_program_that_calls_the_api_gets_a_problem_document_for_what_flask_refuses(client: FlaskClient) -> None:
    for path, method, status, code in (
        ("/api/nowhere/", "GET", 404, "NOT_FOUND"),
        ("/webhooks/nowhere/", "POST", 404, "NOT_FOUND"),
    ):
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert answer.json is not None
        assert (answer.json["code"], answer.json["status"]) == (code, status)


def test_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    assert client.post("/users/me/").status_code == 405
    answer = client.delete("/healthz")
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "OPTIONS"})
    assert answer.mimetype == "text/html"


def test_too_large_a_body_is_refused_in_words(broken: Callable[[BaseException], FlaskClient]) -> None:
    from_view = broken(AppError())

    @from_view.application.post("/api/body/")
    def body() -> str:
        abort(413)

    answer = from_view.post("/api/body/", data=b"x" * 2_000_000)
    assert (answer.status_code, answer.json["code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")  # type: ignore[index]


def test_missing_page_offers_the_first_one(client: FlaskClient) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert 'href="/"' in answer.text
    assert "Retry-After" not in answer.headers


def test_provider_code_is_shown_and_escaped(broken: Callable[[BaseException], FlaskClient]) -> None:
    text = broken(Misconfigured("x", provider_code="<KOE010>")).get("/broken/").text
    assert "&lt;KOE010&gt;" in text
    assert "<KOE010>" not in text


def test_error_page_does_not_say_who_is_logged_in(app: Flask, client_as: Callable[[str], FlaskClient]) -> None:
    minji = client_as("minji")
    answer = minji.get("/users/")
    assert answer.status_code == 403
    assert "minji" not in answer.text
    assert "csrf_token" not in answer.text


# The unforeseen


@pytest.mark.parametrize("path", ["/broken/", "/api/broken/", "/webhooks/broken/"])
def test_unforeseen_exception_ends_in_a_reference_and_no_word_of_its_own(
    broken: Callable[[BaseException], FlaskClient], caplog: Any, capfd: Any, path: str
) -> None:
    try:
        raise KeyError(CANARY)
    except KeyError as cause:
        error = RuntimeError(f"{CANARY} /srv/secret.py")
        error.__cause__ = cause
    answer = broken(error).get(path)
    assert answer.status_code == 500
    reference = re.search(r"[0-9a-f]{8}", answer.text.split("Reference")[-1].split("문의 번호")[-1].split("urn:")[-1])
    assert reference
    (record,) = (record for record in caplog.records if reference[0] in record.getMessage())
    assert record.levelno == logging.ERROR
    assert "code=INTERNAL_ERROR" in record.getMessage()
    assert "reason=RuntimeError" in record.getMessage()
    written = caplog.text + "".join(capfd.readouterr())
    assert "in view" in written, "where it happened is in the log"
    for said in (answer.text, written):
        assert CANARY not in said
        assert "secret.py" not in said
    assert "Traceback" not in answer.text


def test_unforeseen_exception_leaves_the_session_unharmed(
    app: Flask, client_as: Callable[[str], FlaskClient], caplog: Any
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/oops/")
    def oops() -> str:
        raise RuntimeError

    minji = client_as("minji")
    assert minji.get("/oops/").status_code == 500
    assert minji.get("/users/me/").status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RedisConnectionError(CANARY), 503, "SESSIONS_UNAVAILABLE"),
        (OperationalError(CANARY, {CANARY: CANARY}, Exception(CANARY)), 503, "DATABASE_UNAVAILABLE"),
        (PoolTimeout(CANARY), 503, "DATABASE_UNAVAILABLE"),
        (IntegrityError(CANARY, {CANARY: CANARY}, Exception(CANARY)), 500, "INTERNAL_ERROR"),
        (ValueError(CANARY), 500, "INTERNAL_ERROR"),
        (RecursionError(CANARY), 500, "INTERNAL_ERROR"),
        (MemoryError(CANARY), 500, "INTERNAL_ERROR"),
        (ExceptionGroup(CANARY, [ValueError(CANARY)]), 500, "INTERNAL_ERROR"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_libraries_throw_is_said_in_our_words(
    broken: Callable[[BaseException], FlaskClient], caplog: Any, error: Exception, status: int, code: str
) -> None:
    answer = broken(error).get("/api/broken/")
    assert (answer.status_code, answer.json["code"]) == (status, code)  # type: ignore[index]
    assert CANARY not in answer.text + caplog.text


def read_only() -> Exception:
    """SQLite's own error about a file that cannot be written."""
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA query_only = 1")
    with contextlib.closing(database), pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("CREATE TABLE people (name)")
    return caught.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError(CANARY, {}, read_only()), "OperationalError SQLITE_READONLY"),
        (OperationalError(CANARY, {}, psycopg.errors.DiskFull(CANARY)), "OperationalError DiskFull"),
        (
            InternalError(CANARY, {}, psycopg.errors.ReadOnlySqlTransaction(CANARY)),
            "InternalError ReadOnlySqlTransaction",
        ),
        (OperationalError(CANARY, {}, psycopg.OperationalError(CANARY)), "OperationalError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_log_names_what_the_database_refuses_for(
    broken: Callable[[BaseException], FlaskClient], caplog: Any, error: Exception, words: str
) -> None:
    broken(error).get("/api/broken/")
    assert f"reason={words} endpoint=" in caplog.text
    assert CANARY not in caplog.text


def test_statement_that_we_got_wrong_is_our_fault_and_not_the_databases(
    broken: Callable[[BaseException], FlaskClient],
) -> None:
    """DataError: a value that does not fit. Trying again would not help, so no 503."""
    answer = broken(DataError("INSERT", {}, Exception("too long"))).get("/api/broken/")
    assert (answer.status_code, answer.json["code"]) == (500, "INTERNAL_ERROR")  # type: ignore[index]


# The log


@pytest.mark.parametrize(
    "text",
    [
        "a\nFAKE line",
        "a\r\nFAKE",
        "a\x1b[31mred",
        "a\x00b",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "a\x9bb",
        "a\tb",
        "\ud800",
    ],
)
def test_text_from_outside_stays_on_its_line(
    broken: Callable[[BaseException], FlaskClient], caplog: Any, text: str
) -> None:
    broken(ProviderUnavailable(text, provider_code="-1")).get("/broken/")
    (record,) = (record for record in caplog.records if record.name == "kakaoauth.errors")
    assert record.getMessage().isprintable()
    assert "provider_code=-1 reason=" in record.getMessage()


def test_text_from_outside_is_bounded() -> None:
    assert one_line("x" * 10_000) == "x" * 200
    assert one_line("한글 😀 ok") == "한글 😀 ok"


def test_provider_code_stays_on_its_line(broken: Callable[[BaseException], FlaskClient], caplog: Any) -> None:
    broken(Misconfigured("x", provider_code="KOE\n010\x1b[2J" + "9" * 5000)).get("/broken/")
    (record,) = (record for record in caplog.records if record.name == "kakaoauth.errors")
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 1000


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (Forbidden("x"), "INFO"),
        (ProviderBusy("x"), "WARNING"),
        (ProviderUnavailable("x"), "ERROR"),
        (Misconfigured("x"), "CRITICAL"),
    ],
)
def test_alarm_is_as_loud_as_the_matter(
    broken: Callable[[BaseException], FlaskClient], caplog: Any, error: AppError, level: str
) -> None:
    caplog.set_level("INFO", "kakaoauth")
    broken(error).get("/broken/")
    assert [record.levelname for record in caplog.records if record.name == "kakaoauth.errors"] == [level]


def test_query_is_not_logged(client: FlaskClient, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    client.get("/kakao/login/callback/?code=canary-code&state=canary-state")
    client.get("/nowhere/?code=canary-code")
    assert "canary" not in caplog.text


def test_werkzeugs_own_request_line_loses_its_query(app: Flask, caplog: Any) -> None:
    logging.getLogger("werkzeug").warning('"%s" %s %s', "GET /x/?code=canary-code HTTP/1.1", 200, "-")
    assert '"GET /x/ ..." 200 -' in caplog.text
    assert "canary" not in caplog.text


# Twice


@pytest.mark.parametrize("kind", family(), ids=lambda kind: kind.__name__)
def test_error_comes_back_from_its_memo_as_it_was(app: Flask, kind: type[AppError]) -> None:
    error = sample(kind)
    again = from_dict(error.to_dict())
    assert type(again) is kind
    assert again.to_dict() == error.to_dict()
    with app.test_request_context("/?lang=en"):
        assert (again.describe(), again.details()) == (error.describe(), error.details())


def test_every_error_has_its_own_place_in_the_tree_of_the_docstring() -> None:
    drawn = re.findall(r"^ {4}[│├└─ ]*(\w+) +(?:(\d{3})\b)?", errors.__doc__ or "", flags=re.M)
    statuses = dict(drawn)
    for kind in family():
        assert kind.__name__ in statuses, f"draw {kind.__name__} in the tree at the top of kakaoauth/errors.py"
        assert statuses[kind.__name__] in ("", str(kind.status)), kind
    assert statuses.keys() == {kind.__name__ for kind in family()}
