"""`flask kakaoauth work`: the jobs of a running site, in a process of their own."""

import signal
import threading

import pytest
from flask import Flask
from sqlalchemy import text
from support.concurrency import until

from kakaoauth import jobs
from kakaoauth.storage.database import db


def ended_sessions(site: Flask) -> int:
    with site.app_context():
        return int(db.session.scalar(text("SELECT count(*) FROM ended_sessions")))


def test_work_is_done_until_a_signal_ends_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PAUSE", 0.02)
    with app.app_context():
        db.session.execute(text("INSERT INTO ended_sessions (name, until) VALUES ('over', '2000-01-01')"))
        db.session.commit()
    main = threading.get_ident()

    def end_when_done() -> None:
        try:
            until(lambda: ended_sessions(app) == 0)
        finally:
            signal.pthread_kill(main, signal.SIGTERM)

    watcher = threading.Thread(target=end_when_done)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    # To this thread at any time, and never to pytest's end.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        watcher.start()
        done = app.test_cli_runner().invoke(args=["kakaoauth", "work"])
        watcher.join()
    finally:
        signal.sigtimedwait([signal.SIGTERM], 0)  # one that nobody has taken
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert (done.exit_code, done.output) == (0, "kakaoauth works; Ctrl-C ends it.\n")
    assert ended_sessions(app) == 0
