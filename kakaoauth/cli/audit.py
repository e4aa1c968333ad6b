"""`flask --app wsgi audit ...`: the audit trail."""

import click
from flask import current_app

from kakaoauth.audit import refusals
from kakaoauth.cli.told import ToldAppGroup

audit = ToldAppGroup("audit", help="Look after the audit trail.")


@audit.command()
def prune() -> None:
    """Remove what is older than KAKAOAUTH_AUDIT_DAYS. The running site does the same within an hour."""
    days, removed = current_app.config["KAKAOAUTH_AUDIT_DAYS"], 0
    while batch := refusals.prune(days):
        removed += batch
    click.echo(f"{removed} events older than {days} days are removed.")
