"""What the operator types: `flask --app wsgi users ...`, `... kakao ...`, `... tokens ...`, `... audit ...`."""

import sys
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import doctor as checks
from kakaoauth import flows, listing, retries
from kakaoauth.config import (
    SANDBOX_ADMIN_KEY,
    SANDBOX_APP_ID,
    SANDBOX_CLIENT_ID,
    SANDBOX_CLIENT_SECRET,
    SANDBOX_FACEBOOK_CLIENT_ID,
    SANDBOX_FACEBOOK_CLIENT_SECRET,
)
from kakaoauth.extensions import REDIS_ERRORS
from kakaoauth.models import User, find_user_by_email
from kakaoauth.sandbox import FacebookSettings, SandboxSettings, StateFileError, serve

users = AppGroup("users", help="Look after the accounts.")
kakao = AppGroup("kakao", help="Kakao: check the configuration, or play Kakao on this machine.")
tokens = AppGroup("tokens", help="Look after the keys that sign our own tokens.")
audit = AppGroup("audit", help="Look after the audit trail.")


def init_app(app: Flask) -> None:
    app.cli.add_command(users)
    app.cli.add_command(kakao)
    app.cli.add_command(tokens)
    app.cli.add_command(audit)


@users.command("create-superuser")
@click.option("--email", required=True, help="The trusted e-mail the person will log in with.")
@click.option("--password-stdin", is_flag=True, help="Read a password for /login/ from one line of standard input.")
def create_superuser(email: str, password_stdin: bool) -> None:
    """Make an account that may do everything; the first login with that e-mail takes it over."""
    try:
        user = flows.create_superuser(email, _read_password() if password_stdin else None)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{user.email} is a superuser now. They come in by logging in with that e-mail address.")
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
        flows.remove_password(user)
    else:
        try:
            flows.set_password(user, _read_password())
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
    """Give a role to the account with that e-mail."""
    if role is None:
        raise click.UsageError("say which role: --staff or --superuser")
    user = _get_user(email)
    flows.promote(user, superuser=role == "superuser")
    click.echo(f"{email} is {'a superuser' if user.is_superuser else 'staff'} now.")


@users.command()
@click.argument("email")
def demote(email: str) -> None:
    """Take every role away from the account with that e-mail."""
    try:
        flows.demote(_get_user(email))
    except flows.LastSuperuser:
        raise click.ClickException("this is the last active superuser: make another one first") from None
    click.echo(f"{email} has no role now.")


@users.command("list")
@click.option("--search", default="", help="Part of an e-mail address, nickname or name; a whole id or Kakao id.")
def list_users(search: str) -> None:
    """Print the users, newest first."""
    cursor = None
    while True:
        page = listing.page(listing.Filter(search=search), cursor=cursor, limit=500)
        for user in page.users:
            click.echo(f"{user.id}\t{user.email or '-'}\t{_printable(user.nickname)}\t{_role(user)}\t{_state(user)}")
        if page.next is None:
            return
        cursor = page.next


@users.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--random-seed", default=1, show_default=True, help="Another number makes other people.")
def seed(number: int, random_seed: int) -> None:
    """Add NUMBER made-up users, to try the site with a full house. Never where there are real ones."""
    try:
        with click.progressbar(length=2 * number, label=f"{number} users") as bar:
            flows.seed(number, random_seed=random_seed, report=bar.update)
    except flows.NotSeeded:
        raise click.ClickException("there are users who were not made by this command: nothing was added") from None
    except NotImplementedError as error:
        raise click.ClickException(f"only for PostgreSQL and SQLite, not for {error}") from None


def _printable(text: str | None) -> str:
    """A nickname shall not steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text or "-")


def _role(user: User) -> str:
    return "superuser" if user.is_superuser else "staff" if user.is_staff else "user"


def _state(user: User) -> str:
    return "active" if user.is_active else "suspended"


def _get_user(email: str) -> User:
    user = find_user_by_email(email)
    if user is None:
        raise click.ClickException(f"no account has the e-mail address {_printable(email)}")
    return user


@kakao.command()
@checks.options
def doctor(lang: str | None, json: bool) -> None:
    """Check the whole configuration, Kakao's console included, and say what is wrong."""
    if not checks.examine(current_app, lang=lang, json=json):
        sys.exit(1)


@kakao.command()
def retry() -> None:
    """Do now what waits: unlinks that Kakao has not heard of, messages that came while the database was away."""
    try:
        done, left = retries.run_once()
    except (SQLAlchemyError, *REDIS_ERRORS) as error:
        raise click.ClickException(f"Redis or the database is away ({type(error).__name__}): nothing is lost") from None
    click.echo(f"{done} done, {left} could not be done yet.")


@kakao.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt every stored Kakao token with the first key of TOKEN_KEYS; then the older keys may go."""
    done, lost = flows.reseal_all()
    click.echo(f"{done} logins' tokens are encrypted with the newest key.")
    if lost:
        click.echo(f"{lost} could not be read with any key; those people's tokens come back at their next login.")


@tokens.command("rotate-keys")
@click.option("--at-once", is_flag=True, help="Let the old keys verify nothing any more: somebody may have one.")
def rotate_signing_keys(at_once: bool) -> None:
    """Sign access tokens with a new key from now on; the old keys verify theirs until these are over."""
    kid, seconds = flows.rotate_signing_key(at_once=at_once), current_app.config["ACCESS_TOKEN_SECONDS"]
    click.echo(f"Access tokens are signed with the new key {kid}.")
    if at_once:
        click.echo("Those signed before are refused now; refresh tokens go on, and bring new ones.")
    else:
        click.echo(f"Those signed before stay good until they are over, {seconds} s at most.")


@audit.command()
def prune() -> None:
    """Remove what is older than AUDIT_DAYS. The running site does the same by itself, an hour later at most."""
    days, removed = current_app.config["AUDIT_DAYS"], 0
    while batch := flows.forget_old_notes(days):
        removed += batch
    click.echo(f"{removed} events older than {days} days are removed.")


@kakao.command()
@click.option("--port", type=int, help="Port on 127.0.0.1; SANDBOX_PORT if not given.")
def sandbox(port: int | None) -> None:
    """Serve the local imitation of Kakao's and Facebook's login, on this machine only."""
    config = current_app.config
    port = port or config["SANDBOX_PORT"]
    site = f"http://localhost:{config['PORT']}"
    callback = config["KAKAO_REDIRECT_URI"] or f"{site}/kakao/login/callback/"
    settings = SandboxSettings(
        client_id=SANDBOX_CLIENT_ID,
        client_secret=SANDBOX_CLIENT_SECRET,
        admin_key=SANDBOX_ADMIN_KEY,
        app_id=SANDBOX_APP_ID,
        redirect_uris=(callback, f"http://127.0.0.1:{config['PORT']}/kakao/login/callback/"),
        logout_redirect_uris=(
            f"{site}/kakao/logout/callback/",
            f"http://127.0.0.1:{config['PORT']}/kakao/logout/callback/",
        ),
        issuer=f"http://127.0.0.1:{port}",
        unlink_webhook_url=f"{site}/webhooks/kakao/unlink/",
        account_status_webhook_url=f"{site}/webhooks/kakao/account-status/",
        state_file=Path(config["INSTANCE_PATH"]) / "sandbox.json",
        facebook=_facebook_corner(site),
    )
    try:
        serve(settings, port)
    except StateFileError as error:
        raise click.ClickException(f"{error}: remove the file to begin anew") from None
    except OSError as error:
        click.echo(f"kakaoauth: port {port} cannot be used ({error.strerror}): choose another with --port", err=True)
        sys.exit(1)


def _facebook_corner(site: str) -> FacebookSettings:
    config = current_app.config
    return FacebookSettings(
        client_id=SANDBOX_FACEBOOK_CLIENT_ID,
        client_secret=SANDBOX_FACEBOOK_CLIENT_SECRET,
        redirect_uris=(
            config["FACEBOOK_REDIRECT_URI"] or f"{site}/facebook/login/callback/",
            f"http://127.0.0.1:{config['PORT']}/facebook/login/callback/",
        ),
        deauthorize_url=f"{site}/webhooks/facebook/deauthorize/",
        data_deletion_url=f"{site}/webhooks/facebook/data-deletion/",
    )
