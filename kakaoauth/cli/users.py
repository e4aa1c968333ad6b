"""`flask --app wsgi users ...`: the accounts, one by one."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from kakaoauth.accounts import leaving, lifting, password_login, roles, suspensions
from kakaoauth.cli import seed as seeding
from kakaoauth.cli.terminal import Progress, printable
from kakaoauth.cli.told import ToldAppGroup
from kakaoauth.cli.user_filters import choosing
from kakaoauth.errors import LastSuperuser
from kakaoauth.models import CLAIMABLE, User, find_user, find_user_by_email
from kakaoauth.staff import listing
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.staff.listing.people import Person
from kakaoauth.storage.columns import MAX_ID

T = TypeVar("T")
#: What the database can hold.
USER_NUMBER = click.IntRange(1, MAX_ID)

users = ToldAppGroup("users", help="Look after the accounts.")


@users.command("create-superuser")
@click.option("--email", required=True, help="The trusted e-mail the person will log in with.")
@click.option("--password-stdin", is_flag=True, help="Read a password for /login/ from one line of standard input.")
def create_superuser(email: str, password_stdin: bool) -> None:
    """Make an account that may do everything; the first login with that e-mail within 7 days takes it over."""
    try:
        user = roles.create_superuser(email, _read_password() if password_stdin else None)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{user.email} is a superuser now. {_waits(user.claimable_until)}")
    if password_stdin:
        click.echo("On a day when that does not work, they come in at /login/ with the password.")


@users.command("set-password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the new password from one line of standard input.")
@click.option("--remove", is_flag=True, help="Take the password away.")
def set_password(email: str, password_stdin: bool, remove: bool) -> None:
    """Change a superuser's password for /login/; ends their sessions and tokens."""
    if password_stdin == remove:
        raise click.UsageError("say which: --password-stdin or --remove")
    user = _get_user(email)
    if remove:
        try:
            password_login.remove_password(user)
        except LastSuperuser:
            raise click.ClickException(
                "this password is the only way in of the last active superuser: make another one first"
            ) from None
    else:
        try:
            password_login.set_password(user, _read_password())
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{email} has {'no password any more' if remove else 'a new password'}, and is logged out everywhere.")


def _read_password() -> str:
    """One line; at a terminal without showing it.

    :raises ValueError: no text.
    """
    if sys.stdin.isatty():
        return click.prompt("Password", type=str, hide_input=True, confirmation_prompt=True, err=True)
    try:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:  # whose text would show some of it
        raise ValueError("the password is not UTF-8 text") from None


@users.command()
@click.argument("email")
@click.option("--staff", "role", flag_value="staff", help="May see the user list.")
@click.option("--superuser", "role", flag_value="superuser", help="May change users as well.")
def promote(email: str, role: str | None) -> None:
    """Give a role to the account with that e-mail. One that no login opens waits for its owner again, for 7 days."""
    if role is None:
        raise click.UsageError("say which role: --staff or --superuser")
    user = _get_user(email)
    until = _done(lambda: roles.promote(user, superuser=role == "superuser"))
    click.echo(f"{email} is {'a superuser' if user.is_superuser else 'staff'} now.{_and_waits(until)}")


@users.command()
@click.argument("email")
def reopen(email: str) -> None:
    """Let the account with that e-mail wait for its owner again, for 7 days: the first login with it takes it over."""
    user = _get_user(email)
    until = _done(lambda: roles.reopen(user))
    if until is None:
        raise click.ClickException("a login is connected to this account: nobody else can take it over")
    click.echo(f"{email} is open again. {_waits(until)}")


@users.command("suspensions")
def list_suspensions() -> None:
    """Print who may not sign up again: former number, since when, known by what, and until when if they left by
    themselves and were not suspended."""
    before = None
    while people := suspensions.page(before, 500):
        for person in people:
            lost = "" if person.is_known_again else "\twithout effect: SECRET_KEY_FALLBACKS lacks the former SECRET_KEY"
            until = f"\tuntil {person.ends_at:%Y-%m-%d}" if person.ends_at else ""
            click.echo(f"{person.user_id}\t{person.since:%Y-%m-%d}\t{','.join(person.kinds)}{until}{lost}")
        before = people[-1].user_id


@users.command("lift-suspension")
@click.argument("number", type=USER_NUMBER)
@click.option("--reason", default="", help="Stays in the audit trail.")
def lift_suspension(number: int, reason: str) -> None:
    """Let the person sign up again who was suspended and erased as user NUMBER, or has left not long ago."""
    if not lifting.lift_suspension(number, reason=reason):
        raise click.ClickException(f"nobody who was user {number} is kept from signing up")
    click.echo(f"The person who was user {number} can sign up again.")


def _waits(until: datetime | None) -> str:
    """What the owner of a waiting account has to do, and until when."""
    if until is None:
        return ""
    moment = f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"They come in by logging in with that e-mail address within {CLAIMABLE.days} days, until {moment}."


def _and_waits(until: datetime | None) -> str:
    return f" {_waits(until)}" if until else ""


def _done(act: Callable[[], T]) -> T:
    try:
        return act()
    except ValueError as error:
        raise click.ClickException(str(error)) from None


@users.command()
@click.argument("email")
def demote(email: str) -> None:
    """Take every role away from the account with that e-mail."""
    try:
        roles.demote(_get_user(email))
    except LastSuperuser:
        raise click.ClickException("this is the last active superuser: make another one first") from None
    click.echo(f"{email} has no role now.")


@users.command()
@click.argument("number", type=USER_NUMBER)
@click.option("--reason", default="", help="Stays in the audit trail.")
def restore(number: int, reason: str) -> None:
    """Open the account of user NUMBER again, which its owner has closed and which is not erased yet."""
    user = find_user(number)
    if user is None or user.erase_at is None:
        raise click.ClickException(f"user {number} has no closed account")
    roles.change_user(number, is_active=True, reason=reason)
    click.echo(f"The account of user {number} is open again.")


@users.command()
@click.argument("number", type=USER_NUMBER)
@click.option("--reason", default="", help="Stays in the audit trail.")
def erase(number: int, reason: str) -> None:
    """Erase the closed account of user NUMBER now, and not when its time is over."""
    if not leaving.erase_closed(number, reason=reason):
        raise click.ClickException(f"user {number} has no closed account")
    click.echo(f"The account of user {number} is erased.")


@users.command("list")
@choosing
def list_users(chosen: Filter) -> None:
    """Print the users, newest first."""
    cursor = None
    while True:
        page = listing.page(chosen, cursor=cursor, limit=500)
        for user in page.users:
            click.echo(f"{user.id}\t{user.email or '-'}\t{printable(user.nickname)}\t{_role(user)}\t{_state(user)}")
        if page.next is None:
            return
        cursor = page.next


@users.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--random-seed", default=1, show_default=True, help="Another number makes other people.")
def seed(number: int, random_seed: int) -> None:
    """Add NUMBER made-up users, to try the site with many people. Never where there are real ones but superusers."""
    progress, done = Progress("added"), 0

    def report(work: int) -> None:
        nonlocal done
        done += work
        progress.update(min(done, number), done / (2 * number))

    try:
        seeding.seed(number, random_seed=random_seed, report=report)
    except seeding.NotSeeded:
        raise click.ClickException(
            "there are users besides superusers who were not made by this command: nothing was added"
        ) from None
    except NotImplementedError as error:
        raise click.ClickException(f"only for PostgreSQL and SQLite, not for {error}") from None
    progress.finish()


def _role(user: User | Person) -> str:
    return "superuser" if user.is_superuser else "staff" if user.is_staff else "user"


def _state(user: User | Person) -> str:
    return "active" if user.is_active else "closed" if user.closed_at else "suspended"


def _get_user(email: str) -> User:
    user = find_user_by_email(email)
    if user is None:
        raise click.ClickException(f"no account has the e-mail address {printable(email)}")
    return user
