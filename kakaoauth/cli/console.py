"""The command `kakaoauth`, which `pip install` puts on the PATH."""

import click

from kakaoauth.sandbox.__main__ import main as serve_sandbox


@click.group()
@click.version_option(package_name="kakaoauth")
def main() -> None:
    """Kakao login for Flask."""


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """Play Kakao and Facebook on this machine; `kakaoauth sandbox --help` lists the options."""
    serve_sandbox(arguments, prog="kakaoauth sandbox")
