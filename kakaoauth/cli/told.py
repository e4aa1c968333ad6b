"""Groups of commands that tell a failing database in one line: the values of a statement are not for a terminal."""

from typing import Any

import click
from flask.cli import AppGroup, ScriptInfo
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError

from kakaoauth.storage import schema
from kakaoauth.storage.database import db

#: What a database answers that is not there, or lacks a table or a column.
FAILURES = (OperationalError, ProgrammingError, InterfaceError)


class ToldGroup(click.Group):
    """A group whose commands end in one line where the database does."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. :raises ClickException: the database fails: what to run, or what it says."""
        try:
            return super().invoke(ctx)
        except FAILURES as error:
            raise click.ClickException(lack(ctx) or in_a_line(error)) from None


class ToldAppGroup(ToldGroup, AppGroup):
    """The same for commands that need the app."""


def in_a_line(error: SQLAlchemyError) -> str:
    """Return what the database said, without the statement and its values."""
    said = str(error.orig or "") if isinstance(error, DBAPIError) else ""
    return f"the database refuses: {said.strip().partition(chr(10))[0] or type(error).__name__}"


def lack(ctx: click.Context) -> str:
    """Return what the tables lack, and the cure; empty if they are as this version wants them, or cannot be seen.

    :param ctx: of one of our groups, below `flask` on the site and below `flask kakaoauth` everywhere.
    """
    try:
        with ctx.ensure_object(ScriptInfo).load_app().app_context(), db.engine.connect() as connection:
            found = schema.level(connection)
    except SQLAlchemyError:
        return ""
    if not schema.is_behind(found):
        return ""
    upgrade = "flask kakaoauth upgrade" if ctx.parent and ctx.parent.parent else "flask --app wsgi db upgrade"
    state = "is older than this version" if found else "has no tables of kakaoauth yet"
    return f"the database {state}: run: {upgrade}"
