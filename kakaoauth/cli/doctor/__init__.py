"""`flask --app wsgi kakao doctor`: looks at the whole configuration and says what is wrong and what helps.

Spends nobody's quota and changes nothing: no token of a person is asked for, nothing is written.
"""

import os
import sys
from collections.abc import Callable

import click
from flask import Flask

from kakaoauth.cli.doctor import kakao as kakao_checks
from kakaoauth.cli.doctor import machine, others, settings, terms
from kakaoauth.cli.doctor.findings import Report, is_healthy
from kakaoauth.cli.doctor.show import LANGUAGES, as_json, as_text, for_terminal, language
from kakaoauth.config.checks import ConfigError
from kakaoauth.translation import in_language

__all__ = ["examine", "examine_refused", "options"]


def options(command: Callable[..., None]) -> Callable[..., None]:
    """The command line's options, for both ways to call the doctor."""
    command = click.option("--lang", type=click.Choice(LANGUAGES), help="Language; the terminal's if not given.")(
        command
    )
    return click.option("--json", "json", is_flag=True, help="For machines.")(command)


def examine(app: Flask, *, lang: str | None, json: bool) -> bool:
    """Look at everything and print it; True if there is no cross."""
    with app.app_context(), in_language(language(lang, os.environ)):
        report = Report()
        settings.check(app, report)
        terms.check(app, report)
        kakao_checks.check(app, report)
        others.check(app, report)
        machine.check(app, report)
        return _print(report, json)


def examine_refused(error: ConfigError, *, lang: str | None, json: bool) -> bool:
    """The same for a configuration of which no site can be made: its one line names the setting, and no secret."""
    with in_language(language(lang, os.environ)):
        report = Report()
        what, _, cure = str(error).partition(": ")
        report.fail("settings.start", cure or what, what)
        return _print(report, json)


def _print(report: Report, json: bool) -> bool:
    findings = report.findings()
    text = as_json(findings) if json else as_text(findings)
    click.echo(for_terminal(text, sys.stdout.encoding or "utf-8"))
    return is_healthy(findings)
