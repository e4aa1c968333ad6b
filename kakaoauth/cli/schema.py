"""`flask kakaoauth ...`: our tables' schema. The reference site has the same as `flask --app wsgi db ...`."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from alembic.util import CommandError
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth.cli.told import in_a_line
from kakaoauth.config.checks import ConfigError
from kakaoauth.storage import schema
from kakaoauth.storage.database import db

group = AppGroup("kakaoauth", help="kakaoauth's tables: bring them to this version's schema.")


@contextmanager
def _told_in_a_line() -> Iterator[None]:
    try:
        yield
    except (CommandError, ConfigError) as error:
        raise click.ClickException(str(error)) from None
    except SQLAlchemyError as error:
        raise click.ClickException(in_a_line(error)) from None


@group.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to this version's schema, or to REVISION."""
    with _told_in_a_line():
        schema.upgrade(revision)
    _say_level()


@group.command()
@click.argument("revision", default="-1")
def downgrade(revision: str) -> None:
    """Go back by one level, or to REVISION. What the newer levels hold is lost."""
    with _told_in_a_line():
        schema.downgrade(revision)
    _say_level()


@group.command()
def current() -> None:
    """Say which level the database is at."""
    _say_level()


@group.command()
def check() -> None:
    """Compare the tables with what this version wants; fail if they differ."""
    with _told_in_a_line():
        schema.check()


def _say_level() -> None:
    with _told_in_a_line(), db.engine.connect() as connection:
        found = schema.level(connection)
    wants = "" if found == schema.wanted() else f"; this version wants {schema.wanted()}: run: flask kakaoauth upgrade"
    click.echo(f"kakaoauth's schema is at {found or 'no level'}{wants}.")
