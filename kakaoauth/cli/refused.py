"""What a command line says when the configuration is refused, of which no site can be made."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

import click

from kakaoauth.cli import doctor as cli_doctor
from kakaoauth.config.checks import ConfigError

#: Tells gunicorn that starting another worker will not help.
STATUS = 3


def end(error: ConfigError, arguments: Sequence[str]) -> NoReturn:
    """Say what is wrong and exit: one line, or the doctor's whole report where it was the doctor who was called.

    :param arguments: `sys.argv`. Flask needs a site before it reads `kakao doctor --json` itself.
    """
    words = list(arguments[1:])
    for place, pair in enumerate(pairwise(words)):
        if pair == ("kakao", "doctor"):
            _report(error, words[place + 2 :])
    print(f"kakaoauth: {error}", file=sys.stderr)
    raise SystemExit(STATUS) from None


def _report(error: ConfigError, options: list[str]) -> None:
    @click.command()
    @cli_doctor.options
    def doctor(lang: str | None, json: bool) -> None:
        """Check the whole configuration and say what is wrong."""
        sys.exit(0 if cli_doctor.examine_refused(error, lang=lang, json=json) else 1)

    doctor(options, prog_name="flask kakao doctor")
