"""`flask --app wsgi kakao ...`: check the configuration, or play Kakao on this machine."""

import sys
from pathlib import Path
from typing import Any

import click
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import jobs
from kakaoauth.cli import doctor as cli_doctor
from kakaoauth.cli.terminal import PORT
from kakaoauth.cli.told import ToldAppGroup, lack
from kakaoauth.config import sandbox as sandbox_apps
from kakaoauth.config.embedded import (
    SANDBOX_ADMIN_KEY,
    SANDBOX_APP_ID,
    SANDBOX_CLIENT_ID,
    SANDBOX_CLIENT_SECRET,
    SANDBOX_FACEBOOK_CLIENT_ID,
    SANDBOX_FACEBOOK_CLIENT_SECRET,
)
from kakaoauth.sandbox import (
    AppleSettings,
    FacebookSettings,
    GoogleSettings,
    NaverSettings,
    SandboxSettings,
    StateFileError,
    serve,
)
from kakaoauth.storage.redis import REDIS_ERRORS
from kakaoauth.tokens import revocation as token_revocation

#: What the encrypted tables hold, in words, and what becomes of what is lost.
ENCRYPTED = {
    "provider_tokens": ("logins' tokens", "; those people's tokens come back at their next login"),
    "signing_keys": ("signing keys", "; new ones are made when they are needed"),
    "unlink_jobs": ("waiting unlinks' tokens", "; they need the admin key"),
}

kakao = ToldAppGroup("kakao", help="Kakao: check the configuration, or play Kakao on this machine.")


@kakao.command()
@cli_doctor.options
def doctor(lang: str | None, json: bool) -> None:
    """Check the whole configuration, Kakao's console included, and say what is wrong."""
    if not cli_doctor.examine(current_app, lang=lang, json=json):
        sys.exit(1)


@kakao.command()
def retry() -> None:
    """Do now what waits, whatever its next date: unlinks that Kakao has not heard of, those that were given up as
    well; messages that came while the database was away, and those that could not be applied."""
    try:
        done, left = jobs.run_once(everything=True)
    except (SQLAlchemyError, *REDIS_ERRORS) as error:
        if (group := click.get_current_context().parent) and (missing := lack(group)):
            raise click.ClickException(missing) from None
        raise click.ClickException(f"Redis or the database is away ({type(error).__name__}): nothing is lost") from None
    click.echo(f"{done} done, {left} could not be done yet.")


@kakao.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt all that is stored encrypted with the first key of KAKAOAUTH_TOKEN_KEYS; then the older keys may go."""
    for table, done, lost in token_revocation.reencrypt_all():
        what, cure = ENCRYPTED.get(table, (table, ""))
        if done or table == "provider_tokens":
            click.echo(f"{done} {what} are encrypted with the newest key.")
        if lost:
            click.echo(
                f"{lost} {'' if table == 'provider_tokens' else what + ' '}could not be read with any key{cure}."
            )


@kakao.command()
@click.option("--port", type=PORT, help="Port on 127.0.0.1; SANDBOX_PORT if not given.")
@click.option("--strict", is_flag=True, help="Refuse what Kakao's documents do not allow but Kakao takes.")
def sandbox(port: int | None, strict: bool) -> None:
    """Serve the local imitation of Kakao, Facebook, Naver, Google and Apple, on this machine only."""
    config = current_app.config
    port = port or config["SANDBOX_PORT"]
    ours = f"{config['PORT']}{config['KAKAOAUTH_URL_PREFIX']}"
    site, same_site = f"http://localhost:{ours}", f"http://127.0.0.1:{ours}"
    hears = "webhooks" in config["KAKAOAUTH_FEATURES"]
    callback = config["KAKAO_REDIRECT_URI"] or f"{site}/kakao/login/callback/"
    settings = SandboxSettings(
        client_id=SANDBOX_CLIENT_ID,
        client_secret=SANDBOX_CLIENT_SECRET,
        admin_key=SANDBOX_ADMIN_KEY,
        app_id=SANDBOX_APP_ID,
        redirect_uris=(
            callback,
            f"{same_site}/kakao/login/callback/",
            # Of an app that logs in by itself and brings the code to the API: docs/api.md.
            f"http://localhost:{config['FRONTEND_PORT']}/oauth",
        ),
        logout_redirect_uris=(
            f"{site}/kakao/logout/callback/",
            f"{same_site}/kakao/logout/callback/",
        ),
        issuer=f"http://127.0.0.1:{port}",
        unlink_webhook_url=f"{site}/webhooks/kakao/unlink/" if hears else None,
        account_status_webhook_url=f"{site}/webhooks/kakao/account-status/" if hears else None,
        state_file=Path(config["INSTANCE_PATH"]) / "sandbox.json",
        strict=strict,
        picture_base=None,
        facebook=_facebook_settings(site),
        **_other_providers(site),
    )
    try:
        serve(settings, port)
    except StateFileError as error:
        raise click.ClickException(f"{error}: remove the file to begin anew") from None
    except OSError as error:
        click.echo(f"kakaoauth: port {port} cannot be used ({error.strerror}): choose another with --port", err=True)
        sys.exit(1)


def _facebook_settings(site: str) -> FacebookSettings:
    config = current_app.config
    return FacebookSettings(
        client_id=SANDBOX_FACEBOOK_CLIENT_ID,
        client_secret=SANDBOX_FACEBOOK_CLIENT_SECRET,
        redirect_uris=(
            config["FACEBOOK_REDIRECT_URI"] or f"{site}/facebook/login/callback/",
            f"http://127.0.0.1:{config['PORT']}{config['KAKAOAUTH_URL_PREFIX']}/facebook/login/callback/",
        ),
        deauthorize_url=f"{site}/webhooks/facebook/deauthorize/",
        data_deletion_url=f"{site}/webhooks/facebook/data-deletion/",
    )


def _other_providers(site: str) -> dict[str, Any]:
    return {
        "naver": NaverSettings(
            client_id=sandbox_apps.SANDBOX_NAVER_CLIENT_ID,
            client_secret=sandbox_apps.SANDBOX_NAVER_CLIENT_SECRET,
            redirect_uris=_callbacks(site, "naver"),
            disconnect_url=f"{site}/webhooks/naver/disconnect/",
        ),
        "google": GoogleSettings(
            client_id=sandbox_apps.SANDBOX_GOOGLE_CLIENT_ID,
            client_secret=sandbox_apps.SANDBOX_GOOGLE_CLIENT_SECRET,
            redirect_uris=_callbacks(site, "google"),
            events_url=f"{site}/webhooks/google/events/",
        ),
        "apple": AppleSettings(
            client_id=sandbox_apps.SANDBOX_APPLE_CLIENT_ID,
            team_id=sandbox_apps.SANDBOX_APPLE_TEAM_ID,
            key_id=sandbox_apps.SANDBOX_APPLE_KEY_ID,
            private_key=sandbox_apps.SANDBOX_APPLE_PRIVATE_KEY,
            redirect_uris=_callbacks(site, "apple"),
            notification_url=f"{site}/webhooks/apple/notifications/",
        ),
    }


def _callbacks(site: str, provider: str) -> tuple[str, ...]:
    config = current_app.config
    path = f"/{provider}/login/callback/"
    own = config.get(f"{provider.upper()}_REDIRECT_URI") or f"{site}{path}"
    # Of an app that logs in by itself and brings the code to the API: docs/api.md.
    same_site = f"http://127.0.0.1:{config['PORT']}{config['KAKAOAUTH_URL_PREFIX']}"
    return own, f"{same_site}{path}", f"http://localhost:{config['FRONTEND_PORT']}/oauth"
