"""What the running site does by itself: unlinks that wait for a provider, messages that wait for the database, and what
has grown too old.
"""

import logging
import threading
import time

from flask import Flask, current_app

from kakaoauth import audit, ended_sessions, flows, inbox

log = logging.getLogger("kakaoauth.retries")

#: Seconds between two looks. Two short statements each, in each worker.
PAUSE = 30.0
#: Seconds between two batches that are removed from the audit trail: one statement that finds nothing, as a rule.
TIDY_PAUSE = 3600.0


def run_once() -> tuple[int, int]:
    """Do what is due. Return how many things were done and how many still wait."""
    received = 0
    while (raw := inbox.first()) is not None:
        received += _act_on(raw)
        inbox.drop(raw)
    received += flows.catch_up()
    flows.mend_list_keys()
    done, left = flows.retry_unlinks()
    flows.store_counts()
    return received + done, left


def _act_on(raw: bytes) -> bool:
    """False if it was acted upon before, or cannot be: one that nobody can read shall not hold up the others."""
    try:
        provider, event = inbox.read(raw)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.critical("waiting webhook dropped, it cannot be read: %s", type(error).__name__)
        return False
    return flows.apply_event(provider, event)


def tidy(due: float) -> float:
    """Remove a batch of what is too old in the audit trail and of ended sessions, if it is time. Return when it is
    time again.

    :param due: on the monotonic clock.
    """
    if time.monotonic() < due:
        return due
    there_is_more = flows.forget_old_notes(current_app.config["AUDIT_DAYS"]) == audit.BATCH
    there_is_more |= flows.forget_old_ends() == ended_sessions.BATCH
    return due if there_is_more else time.monotonic() + TIDY_PAUSE


def start(app: Flask) -> threading.Event:
    """Look again and again in a thread of this process. Set the returned event to end it."""
    ended = threading.Event()
    threading.Thread(target=_run, args=(app, ended), name="retries", daemon=True).start()
    return ended


def _run(app: Flask, ended: threading.Event) -> None:
    due = time.monotonic()
    while not ended.wait(PAUSE):
        try:
            with app.app_context():
                run_once()
                due = tidy(due)
        except Exception as error:
            # Whatever is away now is looked for again; the error's text may hold what a database was told.
            log.warning("retries put off: %s", type(error).__name__)
