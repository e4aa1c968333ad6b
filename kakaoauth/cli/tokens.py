"""`flask --app wsgi tokens ...`: the keys that sign our own tokens."""

import click
from flask import current_app

from kakaoauth.cli.told import ToldAppGroup
from kakaoauth.tokens import flows as token_flows

tokens = ToldAppGroup("tokens", help="Look after the keys that sign our own tokens.")


@tokens.command("rotate-keys")
@click.option("--at-once", is_flag=True, help="Let the old keys verify nothing any more: somebody may have one.")
def rotate_signing_keys(at_once: bool) -> None:
    """Sign access tokens with a new key from now on; the old keys verify theirs until these are over."""
    kid, seconds = token_flows.rotate_signing_key(at_once=at_once), current_app.config["KAKAOAUTH_ACCESS_TOKEN_SECONDS"]
    click.echo(f"Access tokens are signed with the new key {kid}.")
    if at_once:
        click.echo("Those signed before are refused now; refresh tokens go on, and bring new ones.")
    else:
        click.echo(f"Those signed before stay good until they are over, {seconds} s at most.")
