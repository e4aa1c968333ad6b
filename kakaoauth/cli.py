"""What the operator types: `flask --app wsgi users ...`, `flask --app wsgi kakao ...`."""

import sys
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import doctor as checks
from kakaoauth import flows, retries
from kakaoauth.config import (
    SANDBOX_ADMIN_KEY,
    SANDBOX_APP_ID,
    SANDBOX_CLIENT_ID,
    SANDBOX_CLIENT_SECRET,
)
from kakaoauth.extensions import REDIS_ERRORS
from kakaoauth.models import User, find_user_by_email, page_of_users
from kakaoauth.sandbox import SandboxSettings, StateFileError, serve

users = AppGroup("users", help="Look after the accounts.")
kakao = AppGroup("kakao", help="Kakao: check the configuration, or play Kakao on this machine.")


def init_app(app: Flask) -> None:
    app.cli.add_command(users)
    app.cli.add_command(kakao)


@users.command("create-superuser")
@click.option("--email", required=True, help="The trusted e-mail the person will log in with.")
def create_superuser(email: str) -> None:
    """Make an account that may do everything; the first login with that e-mail takes it over."""
    try:
        user = flows.create_superuser(email)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{user.email} is a superuser now. They come in by logging in with that e-mail address.")


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
@click.option("--search", default="", help="Part of an e-mail address or nickname; a whole id or Kakao id.")
def list_users(search: str) -> None:
    """Print the users, newest first."""
    before = None
    while rows := page_of_users(search=search, before=before, size=500):
        for user in rows:
            click.echo(f"{user.id}\t{user.email or '-'}\t{_printable(user.nickname)}\t{_role(user)}\t{_state(user)}")
        before = (rows[-1].date_joined, rows[-1].id)


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


@kakao.command()
@click.option("--port", type=int, help="Port on 127.0.0.1; SANDBOX_PORT if not given.")
def sandbox(port: int | None) -> None:
    """Serve the local imitation of Kakao's login, on this machine only."""
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
    )
    try:
        serve(settings, port)
    except StateFileError as error:
        raise click.ClickException(f"{error}: remove the file to begin anew") from None
    except OSError as error:
        click.echo(f"kakaoauth: port {port} cannot be used ({error.strerror}): choose another with --port", err=True)
        sys.exit(1)
