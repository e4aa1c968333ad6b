"""The command `kakaoauth`, which `pip install` puts on the PATH."""

import sys
from pathlib import Path

import click

from kakaoauth.cli.terminal import PORT
from kakaoauth.devserver import launch
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


@main.command()
@click.argument("name", metavar="MODULE:APP")
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--port", type=PORT, help="Port of the app; PORT or 8000 if not given.")
@click.option("--sandbox-port", type=PORT, help="Port of the sandbox; SANDBOX_PORT or 8001 if not given.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Redis, SQLite and the sandbox keep their data; INSTANCE_PATH or instance if not given.",
)
def dev(name: str, command: tuple[str, ...], port: int | None, sandbox_port: int | None, folder: Path | None) -> None:
    """Serve any app that uses kakaoauth, with a Redis, a database and a Kakao to try, on this machine only.

    MODULE:APP is what `flask --app` takes: bookclub, bookclub:app or bookclub:create_app. What the app's settings name
    is used instead: REDIS_URL, KAKAO_CLIENT_ID, its database. With COMMAND, run `flask COMMAND` with the same settings:
    kakaoauth dev bookclub -- db migrate -m books
    """
    sys.exit(launch.dev(name, port=port, sandbox_port=sandbox_port, folder=folder, command=command))


if __name__ == "__main__":
    main()
