"""Jobs of the running site: retry unlinks and messages that wait, store counters, remove old rows."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from flask import Flask

from kakaoauth import retention
from kakaoauth.accounts import leaving
from kakaoauth.counting import daily_counts
from kakaoauth.sessions import logout
from kakaoauth.staff.listing import stale_keys
from kakaoauth.storage import health, transaction
from kakaoauth.webhooks import deferred, effects, receiving

log = logging.getLogger("kakaoauth.retries")

#: Seconds between two looks. Two short statements each, in each worker.
PAUSE = 30.0
#: Seconds between two batches that are removed from the tables: a statement for each that finds nothing, as a rule. As
#: often, what was set aside is tried again.
TIDY_PAUSE = 3600.0

#: How many things a piece of work has done, and how many still wait.
Work = Callable[[], tuple[int, int]]


def run_once(*, everything: bool = False, failed: bool = False) -> tuple[int, int]:
    """Do what is due. Return how many things were done and how many still wait. Each piece of work is done although the
    one before has failed.

    :param everything: all that waits, whatever its next date. :param failed: also the messages that were set aside.
    :raises Exception: the first failure, once the rest is done.
    """
    works: dict[str, Work] = {"ended sessions": _write_ends, "webhooks": act_on_waiting}
    if everything or failed:
        works["webhooks set aside"] = receiving.retry_failed_events
    works["closed accounts"] = leaving.erase_due
    works["unlinks"] = partial(leaving.retry_unlinks, None if everything else 100, everything=everything)
    works["counters"] = _store_counts
    works["list keys"] = _mend_list_keys
    done = left = 0
    failures = []
    for name, work in works.items():
        try:
            now_done, now_left = work()
        except Exception as error:
            # Whatever is away now is looked for again; the error's text may hold what a database was told.
            log.warning("retries put off: %s (%s)", type(error).__name__, name)
            transaction.forget_transaction()
            failures.append(error)
        else:
            done, left = done + now_done, left + now_left
    if failures:
        raise failures[0]
    return done, left


def _store_counts() -> tuple[int, int]:
    daily_counts.store_counts()
    return 0, 0


def _mend_list_keys() -> tuple[int, int]:
    stale_keys.mend_list_keys()
    return 0, 0


def _write_ends() -> tuple[int, int]:
    return logout.catch_up(), 0


class _Round:
    """One pass through the queue. A message that fails stays where it is, or goes aside, and the next one is next."""

    def __init__(self) -> None:
        self.done = self.left = 0
        #: How many stay in the queue, at its beginning.
        self.passed = 0
        #: Messages with which the database was away, since it last answered.
        self.away: list[tuple[bytes, Exception]] = []
        #: Providers that did not answer.
        self.silent: set[str] = set()

    def act_on(self, raw: bytes) -> None:
        """Act on one message of the queue, and drop it, keep it, or set it aside."""
        try:
            provider, event = deferred.read(raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.critical("waiting webhook dropped, it cannot be read: %s", type(error).__name__)
            deferred.drop(raw)
            return
        try:
            self.done += receiving.receive_event(provider, event, may_ask=provider not in self.silent)
        except effects.Unclear:
            self.silent.add(provider)
            self._pass(raw)
            self._answered()
        except Exception as error:
            transaction.forget_transaction()
            if receiving.is_for_later(error):
                self.away.append((raw, error))
                self._pass(raw)
            else:
                self.left += 1
                _set_aside(raw, error)
        else:
            deferred.drop(raw)
            self._answered()

    def _pass(self, raw: bytes) -> None:
        self.passed += 1
        self.left += 1

    def _answered(self) -> None:
        """The database works, so what failed before has failed by itself: at a time-out of its own, say."""
        for raw, error in self.away:
            self.passed -= 1
            _set_aside(raw, error)
        self.away.clear()


def _set_aside(raw: bytes, error: Exception) -> None:
    """Set a message aside; if that fails, move it to the end of the queue."""
    provider, event = deferred.read(raw)
    try:
        receiving.set_aside(provider, event, error)
    except Exception as failure:
        transaction.forget_transaction()
        log.critical(
            "webhook cannot be set aside provider=%s kind=%s: %s", provider, event.kind, type(failure).__name__
        )
        deferred.move_to_end(raw)
    else:
        deferred.drop(raw)


def act_on_waiting() -> tuple[int, int]:
    """Act on the messages in the queue. Return how many were acted upon and how many still wait.

    :raises Exception: the database is away, twice in a row or with the only one.
    """
    turn = _Round()
    for _ in range(deferred.number_waiting()):
        raw = deferred.first(after=turn.passed)
        if raw is None or len(turn.away) > 1:
            break
        turn.act_on(raw)
    if turn.away:
        (first, error), *others = turn.away
        if others and health.database_answers():
            deferred.move_to_end(first)  # These two may have time-outs of their own: some round gets past them.
        raise error
    return turn.done, turn.left


def tidy(due: float) -> float:
    """Remove a batch of what is too old from each table, if it is time. Return when it is time again.

    :param due: on the monotonic clock.
    """
    if time.monotonic() < due:
        return due
    return due if retention.forget_old_rows() else time.monotonic() + TIDY_PAUSE


def start(app: Flask) -> threading.Event:
    """Look again and again in a thread of this process. Set the returned event to end it."""
    ended = threading.Event()
    threading.Thread(target=_run, args=(app, ended), name="retries", daemon=True).start()
    return ended


def _run(app: Flask, ended: threading.Event) -> None:
    due = failed_due = time.monotonic()
    while not ended.wait(PAUSE):
        failed = time.monotonic() >= failed_due
        failed_due = time.monotonic() + TIDY_PAUSE if failed else failed_due
        with app.app_context():
            try:
                run_once(failed=failed)
            except Exception:  # noqa: S110
                pass  # `run_once` has said so, and what has failed is tried again.
            try:
                due = tidy(due)
            except Exception as error:
                log.warning("retries put off: %s (clean-up)", type(error).__name__)
