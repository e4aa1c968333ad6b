"""`flask --app wsgi google ...`: what is set up at Google by a call and not in its console."""

from typing import TextIO
from urllib.parse import urlsplit

import click

from kakaoauth.cli.told import ToldAppGroup
from kakaoauth.errors import AppError
from kakaoauth.providers import find_provider
from kakaoauth.providers.google import Google
from kakaoauth.providers.google.stream import ServiceAccount

#: Status of Google's answer -> what to do.
CURES = {
    400: "Google does not take the address",
    401: "Google does not take the key: make a new one for the service account, and look at this machine's clock",
    403: "the service account lacks the role roles/riscconfigs.admin, the RISC API is not enabled in the project of "
    "GOOGLE_CLIENT_ID, or the site's domain is not among the project's authorised domains",
    404: "the project has no OAuth client: use a service account of the project of GOOGLE_CLIENT_ID",
}

google = ToldAppGroup("google", help="Google: what its console has no page for.")


@google.command("register-events")
@click.argument("key", type=click.File(encoding="utf-8"))
@click.option("--url", required=True, help="https://YOUR-SITE/webhooks/google/events/")
def register_events(key: TextIO, url: str) -> None:
    """Have Google send its security events to this site. KEY is the JSON file of a service account's key."""
    provider = find_provider("google")
    if not isinstance(provider, Google):
        raise click.ClickException("Google is not configured here: set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.netloc or not parts.path.endswith("/webhooks/google/events/"):
        raise click.ClickException("--url is the https address of this site that ends in /webhooks/google/events/")
    try:
        account = ServiceAccount.read(key.read())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    try:
        status = provider.register_events(account, url)
    except AppError as error:
        raise click.ClickException(f"Google does not answer ({error.code}): try again later") from None
    if status != 200:
        raise click.ClickException(f"Google refuses it with {status}: {CURES.get(status, 'try again later')}")
    click.echo(f"Google sends its security events to {url} from now on.")
