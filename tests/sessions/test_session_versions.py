"""A session version only ever counts up, by the database: two ends at once bring no session back."""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event
from support import profile
from support.concurrency import at_once

from kakaoauth.accounts import linking, password_login, roles, sign_in
from kakaoauth.models import User, find_session_user, find_user
from kakaoauth.providers.values import Profile
from kakaoauth.sessions import other_devices
from kakaoauth.sessions.revocation import revoke_sessions
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction

ROOT = Path(__file__).resolve().parents[2] / "kakaoauth"


def minji() -> User:
    return sign_in.log_in(profile(email="minji@example.kr"), email_required=True).user


def test_what_was_ended_in_between_stays_ended(site: Flask) -> None:
    """The session that goes on after the others were ended is over too, once somebody who has read before ends all."""
    with site.app_context():
        user_id = minji().id

    @transaction
    def end_all_after(meanwhile: Callable[[], Any]) -> None:
        user = db.session.get_one(User, user_id)
        assert user.session_version == 0
        meanwhile()
        revoke_sessions(user)

    gone_on: list[Any] = []
    with site.app_context():
        end_all_after(
            lambda: gone_on.extend(at_once(site, lambda: other_devices.end_other_sessions(find_user(user_id))))
        )
        assert gone_on == [f"{user_id}.1"]
        assert find_session_user(gone_on[0]) is None
        assert db.session.get_one(User, user_id).session_version == 2


def test_many_ends_at_once_are_all_counted(site: Flask) -> None:
    with site.app_context():
        user_id = minji().id

    @transaction
    def end() -> None:
        revoke_sessions(db.session.get_one(User, user_id))

    for round_of in range(1, 4):
        ended = at_once(site, *[end] * 4)
        assert ended == [None] * 4
        with site.app_context():
            assert db.session.get_one(User, user_id).session_version == 4 * round_of


def test_number_of_the_session_that_goes_on_is_the_databases(site: Flask) -> None:
    """Of two who unlink at once with the same session, one is over, and the other's number is good."""
    with site.app_context():
        user = minji()
        for provider in ("facebook", "second"):
            linking.link(user.id, Profile(provider=provider, subject="2"), asked_as=user.get_id())
        user_id, asked_as = user.id, user.get_id()
        numbers = [one.id for one in user.identities if one.provider != "kakao"]
    ended = at_once(
        site, *(lambda number=number: linking.unlink(user_id, number, asked_as=asked_as) for number in numbers)
    )
    good = [end for end in ended if not isinstance(end, Exception)]
    assert len(good) == 1, ended
    with site.app_context():
        found = find_session_user(good[0].session_user_id)
        assert found is not None
        assert found.id == user_id


def test_version_is_raised_by_statement(site: Flask) -> None:
    """What goes to the database names the column, not a number that was read."""
    seen: list[str] = []
    with site.app_context():
        user, engine = minji(), db.engine
        verbs: list[Callable[[], Any]] = [
            lambda: roles.end_all_sessions(user.id),
            lambda: other_devices.end_other_sessions(user),
            lambda: roles.change_user(user.id, is_active=False),
            lambda: password_login.remove_password(user),
        ]
        with statements(engine, seen):
            for verb in verbs:
                verb()
        assert find_user(user.id).session_version == len(verbs)
    raised = [said for said in seen if said.startswith("UPDATE users") and "session_version + " in said]
    assert len(raised) == len(verbs), seen


@contextmanager
def statements(engine: Engine, seen: list[str]) -> Iterator[None]:
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


# The code


def written(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """Everything that is written to a `session_version`: the line, and what."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and _names_it(node.target):
            yield node.lineno, node.value
        elif isinstance(node, ast.Assign) and any(_names_it(target) for target in node.targets):
            yield node.lineno, node.value
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            for keyword in node.keywords:
                if keyword.arg == "session_version" and called in ("values", "update"):
                    yield node.lineno, keyword.value
            if isinstance(node.func, ast.Name) and node.func.id == "setattr" and _is_text(node.args[1]):
                yield node.lineno, node.args[2]


def _names_it(target: ast.AST) -> bool:
    return isinstance(target, ast.Attribute) and target.attr == "session_version"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == "session_version"


def counts_by_the_database(value: ast.expr) -> bool:
    return ast.unparse(value) in ("User.session_version", "User.session_version + 1")


def test_nothing_writes_a_version_that_python_has_counted() -> None:
    wrong = [
        f"{file.relative_to(ROOT.parent)}:{line}: let the database count: User.session_version + 1"
        for file in sorted(ROOT.rglob("*.py"))
        if "migrations" not in file.parts
        for line, value in written(ast.parse(file.read_text()))
        if not counts_by_the_database(value)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "user.session_version += 1",
        "user.session_version = user.session_version + 1",
        "update(User).values(session_version=version + 1)",
        "setattr(user, 'session_version', 1)",
    ],
)
def test_such_a_line_is_found(code: str) -> None:
    assert [value for _, value in written(ast.parse(code)) if not counts_by_the_database(value)]
