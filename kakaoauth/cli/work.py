"""`flask kakaoauth work`: what the running site does by itself, as a process of its own."""

import signal

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from kakaoauth import jobs

#: How a terminal, systemd or a container ends it.
ENDS = (signal.SIGINT, signal.SIGTERM)


@click.command()
@with_appcontext
def work() -> None:
    """Retry unlinks, act on messages that wait, store counters and remove old rows, every 30 seconds until Ctrl-C.

    For a host whose server does not call KakaoAuth.start_jobs.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    # Before the thread begins, which inherits this: `sigwait` takes the signal then, and nobody else.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    ended = jobs.start(app)
    click.echo("kakaoauth works; Ctrl-C ends it.")
    signal.sigwait(ENDS)
    ended.set()
