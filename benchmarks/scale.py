"""What a page costs with a thousand and with a million users, sessions and audit events, side by side.

    python benchmarks/scale.py [--users 1000000] [--database sqlite] [--folder DIR] [--write]

Each number is a median in milliseconds: by the clock, and of processors, where this process, its database connection
and Redis count together. The requests go through the whole site, without a web server and without a network. The last
column is the larger site's processor time divided by the smaller one's.

`--folder` keeps the databases for the next run. `--write` writes the table to benchmarks/results/scale.txt.
"""

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from unicodedata import east_asian_width

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from support import crowd
from support.cpu import Meter, Used, middle
from support.keys import commands_of, of_everybody, slots_of
from support.places import site

from kakaoauth import testing
from kakaoauth.cli.user_files import export_users, import_users
from kakaoauth.models import User
from kakaoauth.server.worker import look_for_less_garbage
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis
from kakaoauth.storage.schema import upgrade

SMALL = 1_000
#: A few minutes, for `make bench`.
USUAL = 20_000
RUNS = 9
OTHER_BROWSERS = (
    "Mozilla/5.0 (Linux; Android 15; SM-S931N) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
)
TODAY = date.today()
WEEK = f"from={TODAY - timedelta(days=400)}&until={TODAY - timedelta(days=394)}"

#: What is measured. What few or nobody meets looks alike in both sizes; else the larger site shows more rows.
PAGES = {
    "guarded page": "/",
    "own page, five devices": "/users/me/",
    "list": "/users/",
    "list by e-mail": "/users/?sort=email",
    "filter: suspended": "/users/?state=suspended",
    "filter: superusers": "/users/?role=superuser",
    "filter: active": "/users/?state=active",
    "filter: Facebook": "/users/?provider=facebook",
    "filter: suspended, by e-mail": "/users/?state=suspended&sort=email",
    "filter: Facebook, suspended, by e-mail": "/users/?provider=facebook&state=suspended&sort=email",
    "filter: one week, by e-mail": f"/users/?{WEEK}&sort=email",
    "search: nobody": "/users/?q=nobody+at+all",
    "search: one e-mail address": "/users/?q=sora77@",
    "search: an id": "/users/?q=777",
    "search: half of all (naver)": "/users/?q=naver",
    "search: 1 in 50 (smith)": "/users/?q=smith",
    "search: 1 in 50, by e-mail": "/users/?q=smith&sort=email",
    "search: 1 in 500, by nickname (하늘77)": "/users/?q=하늘77&sort=nickname",
    "search: two characters (김민)": "/users/?q=김민",
    "search: one character (김)": "/users/?q=김",
    "search: one character, nobody (뷁)": "/users/?q=뷁",
    "search: naver, superusers": "/users/?q=naver&role=superuser",
    "search: naver, suspended, by nickname": "/users/?q=naver&state=suspended&sort=nickname",
    "audit": "/users/audit/",
    "audit: logouts": "/users/audit/?action=logout",
    "audit: refused": "/users/audit/?result=refused",
    "audit: a person's logins": "/users/audit/?person=777&action=login",
    "a user's page": "/users/500/",
}


@dataclass
class Place:
    """One size of the site, with a superuser's browser."""

    app: Flask
    users: int
    browser: FlaskClient
    meter: Meter
    facts: dict[str, float] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=USUAL, help="of the larger site, and as many sessions and events")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--folder", type=Path, help="keep the databases here")
    parser.add_argument("--write", action="store_true", help="keep the table in benchmarks/results/scale.txt")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    lines = []
    with ExitStack() as stack:
        places = []
        for users in (SMALL, arguments.users):
            folder = arguments.folder / str(users) if arguments.folder else None
            places.append(fill(stack.enter_context(site(arguments.database, folder)), users))
        look_for_less_garbage()  # as a worker of the server
        for line in chain(table(places), facts(places)):
            print(line, flush=True)
            lines.append(line)
    if arguments.write:
        (ROOT / "benchmarks/results/scale.txt").write_text("\n".join(lines) + "\n")


def fill(app: Flask, users: int) -> Place:
    """Give the site its people, unless they are there from a run before."""
    found: dict[str, float] = {}
    with app.app_context():
        upgrade()
        if db.session.scalar(select(User.id).limit(1)) is None:
            say(f"{users:,} users ...")
            found["users seed"] = timed(lambda: crowd.add_people(users))
        db.session.remove()
    browser = crowd.log_in_superuser(app)
    before = get_redis(app).info("memory")["used_memory"]
    say(f"{users:,} sessions ...")
    crowd.copy_session(app, users)
    found["bytes"] = (get_redis(app).info("memory")["used_memory"] - before) / users
    for agent in OTHER_BROWSERS:
        other = app.test_client()
        other.environ_base["HTTP_USER_AGENT"] = agent
        testing.log_in(other)
    browser.get("/users/me/")
    return Place(app, users, browser, Meter.of(app), found)


def table(places: list[Place]) -> Iterator[str]:
    """Case by case on both sites, so that a busy moment of the machine falls upon both."""
    with places[0].app.app_context():
        version = db.session.scalar(text("SHOW server_version")) if db.engine.dialect.name == "postgresql" else ""
    yield f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    yield ""
    heads = "".join(f"{f'{place.users:,}: ms':>15}{'CPU':>8}{'database':>10}" for place in places)
    yield padded(f"{places[0].app.config['DATABASE_URL'].partition(':')[0]} {version}") + heads + f"{'ratio':>8}"
    for name, address in PAGES.items():
        yield row(name, measured(places, lambda place, address=address: look(place, address)))  # type: ignore[misc]
    yield row("login: start to first page", measured(places, log_in))


def measured(places: list[Place], act: Callable[[Place], object]) -> list[Used]:
    """The median of each place."""
    found: dict[int, list[Used]] = {number: [] for number in range(len(places))}
    for turn in range(-2, RUNS):
        for number, place in enumerate(places):
            before = place.meter.read()
            act(place)
            after = place.meter.read()
            if turn >= 0:
                found[number].append(Used(*(b - a for a, b in zip(before, after, strict=True))))
    return [middle(readings) for readings in found.values()]


def look(place: Place, address: str) -> None:
    """Open a page."""
    status = place.browser.get(address).status_code
    if status != 200:
        raise SystemExit(f"{address}: {status}")


def log_in(place: Place) -> None:
    """A known person's whole login, the sandbox's part included."""
    status = testing.log_in(place.app.test_client(), "haneul").status_code
    if status != 302:
        raise SystemExit(f"login: {status}")


def row(name: str, found: list[Used]) -> str:
    """One line of the table."""
    parts = "".join(f"{one.wall:15.1f}{one.cpu:8.1f}{one.database:10.1f}" for one in found)
    return padded(name) + parts + f"{found[-1].cpu / found[0].cpu:8.2f}"


def facts(places: list[Place]) -> Iterator[str]:
    """What else docs/capacity.md builds on: sizes, and how fast files are read and written."""
    place = places[-1]
    yield ""
    if "users seed" in place.facts:
        yield f"users seed: {place.users:,} users in {place.facts['users seed']:.1f} s, with as many audit events"
    yield f"Redis: {place.facts['bytes']:.0f} bytes for one session more, all told"
    with place.app.app_context():
        if db.engine.dialect.name == "postgresql":
            yield from sizes()
            yield from writes(place)
        yield from redis_keys(place)
    yield from files(place)


def sizes() -> Iterator[str]:
    """Bytes of a row, with the indexes."""
    for name in ("users", "identities", "audit_events"):
        count = db.session.scalar(text(f"SELECT count(*) FROM {name}"))
        heap, whole = db.session.execute(
            text("SELECT pg_table_size(CAST(:n AS regclass)), pg_total_relation_size(CAST(:n AS regclass))"),
            {"n": name},
        ).one()
        row, indexes = heap / count, (whole - heap) / count
        yield f"PostgreSQL: {row:.0f} bytes for one row of {name}, {indexes:.0f} for its indexes"


def writes(place: Place) -> Iterator[str]:
    """What one login of a known person adds to PostgreSQL's log of changes, which is what a replica and a disk take."""
    browser, number = place.app.test_client(), 20
    testing.log_in(browser)
    with place.app.app_context():
        before = db.session.scalar(text("SELECT pg_current_wal_insert_lsn()"))
        db.session.remove()
        for _ in range(number):
            testing.log_in(place.app.test_client())
        grown = db.session.scalar(text("SELECT pg_current_wal_insert_lsn() - CAST(:lsn AS pg_lsn)"), {"lsn": before})
    yield f"PostgreSQL: {grown / number:,.0f} bytes of WAL for one login of a known person"


def redis_keys(place: Place) -> Iterator[str]:
    """How a Cluster would share the keys out, and which of them every login writes."""
    redis = get_redis(place.app)
    slots = slots_of(redis)
    yield (
        f"Redis: {slots.keys:,} keys in {slots.used:,} of a Cluster's 16,384 slots, {slots.average:.1f} in one"
        f" (deviation {slots.deviation:.1f}, at most {slots.most})"
    )
    browsers = [place.app.test_client() for _ in range(4)]
    testing.log_in(browsers[0], "bigid")
    logins = [
        commands_of(redis, lambda browser=browser, who=who: testing.log_in(browser, who))  # type: ignore[misc]
        for browser, who in zip(browsers[1:], ("haneul", "bigid"), strict=False)
    ]
    yield f"Redis: {len(logins[0])} commands for one login of a known person, start to first page"
    for key, number in of_everybody(*logins).most_common():
        yield f"Redis: of these, {number} on {key}, which is everybody's"


def files(place: Place) -> Iterator[str]:
    """Export everybody, and import them into an empty site."""
    path = Path(place.app.config["INSTANCE_PATH"]) / "users.csv"
    say("export ...")
    run = place.app.test_cli_runner()
    took = timed(lambda: run.invoke(export_users, [str(path)], catch_exceptions=False))
    number = count_of(place.app)
    size = path.stat().st_size
    yield f"users export: {number:,} users in {took:.1f} s, {size / took / 1e6:.1f} MB a second"
    with site(place.app.config["DATABASE_URL"].partition(":")[0]) as other:
        with other.app_context():
            upgrade()
        say("import ...")
        run = other.test_cli_runner()
        took = timed(lambda: run.invoke(import_users, [str(path)], catch_exceptions=False))
        yield f"users import: {count_of(other):,} users in {took:.1f} s, {size / took / 1e6:.1f} MB a second"
    path.unlink()


def count_of(app: Flask) -> int:
    """How many users a site has."""
    with app.app_context():
        return db.session.scalar(select(func.count(User.id))) or 0


def timed(act: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def say(what: str) -> None:
    """For who waits at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def padded(what: str) -> str:
    """To 42 columns; a Hangul syllable takes two."""
    return what + " " * (42 - len(what) - sum(east_asian_width(char) == "W" for char in what))


if __name__ == "__main__":
    main()
