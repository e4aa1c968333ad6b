"""What a login and a page for those who are logged in cost, beside a plain Flask + Authlib app and Express.

    python benchmarks/login.py [--rounds 5] [--systems site express] [--only guarded] [--write]

All systems run at the same time, with two worker processes each, and are measured in turn: the same provider over TLS,
the same PostgreSQL, the same Redis, the same browsers. A processor's time is what the operating system says of a
system's own processes, so a machine that does other things as well disturbs it little. Every number is the median of
the rounds. After it stands how many times Express's it is, or Flask's where there is no Express: the median of the
rounds' own ratios.

A login is: start, callback, and the page after it, 8 people at a time. The host is a small app with the extension.
"""

import argparse
import itertools
import os
import platform
import signal
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
from peers import systems
from peers.browser import AT_ONCE, Browser, Unexpected, connect, log_in_all, look
from peers.systems import Shared, System
from redis import Redis

START = {
    "site": systems.site,
    "host": systems.host,
    "flask": systems.plain_flask,
    "express": systems.express,
}
TITLES = {"site": "our site", "host": "a host", "flask": "Flask+Authlib", "express": "Express"}
#: Seconds to the provider and back.
ROUND_TRIP = 0.030
#: People who log in. But for first logins all are known before anything is measured.
PEOPLE = 120
PAGES = 1000
CALLBACKS = 15
#: The first numbers of people who have never logged in, for each system.
NEW_PEOPLE: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(10 * PEOPLE, PEOPLE))
#: Keys that live longer belong to sessions, shorter ones to logins that have begun.
SESSION_SECONDS = 4000

Measure = Callable[[System, list[Browser]], float | tuple[float, float]]


def cpu_of(system: System, act: Callable[[], object], times: int) -> float:
    """Return the milliseconds of a processor that one of them costs."""
    before = system.cpu()
    act()
    return (system.cpu() - before) * 1000 / times


def login(system: System, _browsers: list[Browser]) -> tuple[float, float]:
    before = system.cpu()
    seconds, _ = log_in_all(system, range(PEOPLE))
    return (system.cpu() - before) * 1000 / PEOPLE, PEOPLE / seconds


def first_login(system: System, _browsers: list[Browser]) -> float:
    begin = next(NEW_PEOPLE[system.name])
    return cpu_of(system, lambda: log_in_all(system, range(begin, begin + PEOPLE)), PEOPLE)


def guarded(system: System, browsers: list[Browser]) -> float:
    return cpu_of(system, lambda: look(system, browsers, system.guarded, PAGES), PAGES)


def strangers(system: System, _browsers: list[Browser]) -> float:
    connection = connect(system)  # each look has one of its own
    unknown = [Browser(connection, person) for person in range(AT_ONCE)]
    return cpu_of(system, lambda: look(system, unknown, "/", PAGES), PAGES)


def own_page(system: System, browsers: list[Browser]) -> float:
    if system.name not in OWN_PAGE:
        return float("nan")
    return cpu_of(system, lambda: look(system, browsers, OWN_PAGE[system.name], PAGES), PAGES)


def callback(system: System, _browsers: list[Browser], *, with_id_token: bool = False) -> float:
    """In round trips to the provider, which is far away."""
    connection = connect(system)
    took = [Browser(connection, person).log_in(system, with_id_token=with_id_token) for person in range(CALLBACKS)]
    connection.close()
    return statistics.median(took) / ROUND_TRIP


def callback_with_id_token(system: System, browsers: list[Browser]) -> float:
    return callback(system, browsers, with_id_token=True) if system.name in OWN_PAGE else float("nan")


OWN_PAGE = {"site": "/users/me/", "host": "/auth/users/me/"}
#: What is measured with the provider near.
NEAR: dict[str, tuple[str, Measure]] = {
    "login": ("a whole login, CPU ms", login),
    "first": ("a new person's first login, CPU ms", first_login),
    "guarded": ("page with session and user, CPU ms", guarded),
    "strangers": ("first page for strangers, CPU ms", strangers),
    "own": ("own page, CPU ms", own_page),
}
FAR: dict[str, tuple[str, Measure]] = {
    "callback": ("callback, in round trips", callback),
    "id_token": ("callback with id_token, in round trips", callback_with_id_token),
}
REDIS = "redis"
SPEED = "logins per second"

Table = dict[str, dict[str, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--systems", nargs="+", choices=START, default=list(START))
    parser.add_argument("--only", nargs="+", choices=(*FAR, *NEAR, REDIS), default=[*FAR, *NEAR, REDIS])
    parser.add_argument("--write", action="store_true", help="keep the table in benchmarks/results/login.txt")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, too
    chosen, missing = list(arguments.systems), ""
    if "express" in chosen and (missing := systems.install_express()):
        chosen.remove("express")
    lines = [f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"]
    lines += [f"Without Express: {missing}."] if missing else []
    print("\n".join(lines), flush=True)
    try:
        with systems.shared() as common:
            shown = ["", *table(measure(common, chosen, arguments.only, arguments.rounds), chosen)]
    except Unexpected as error:
        sys.exit(f"benchmarks/login.py: {error}")
    say("")
    print("\n".join(shown), flush=True)
    if arguments.write:
        (ROOT / "benchmarks/results/login.txt").write_text("\n".join((*lines, *shown)) + "\n")


def say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(common: Shared, chosen: list[str], only: list[str], rounds: int) -> Table:
    found: Table = {}
    far = {name: case for name, case in FAR.items() if name in only}
    near = {name: case for name, case in NEAR.items() if name in only}
    if far:
        with systems.far_away(common, ROUND_TRIP) as provider:
            found |= measure_at(common, provider, chosen, far, rounds, with_redis=False)
    if near or REDIS in only:
        found |= measure_at(common, common.provider, chosen, near, rounds, with_redis=REDIS in only)
    return found


def measure_at(
    common: Shared,
    provider: str,
    chosen: list[str],
    cases: dict[str, tuple[str, Measure]],
    rounds: int,
    *,
    with_redis: bool,
) -> Table:
    """Round by round and case by case in all systems, so that a busy moment of the machine falls upon all of them."""
    found: Table = {title: {name: [] for name in chosen} for title, _ in cases.values()}
    with ExitStack() as stack:
        sites = []
        for name in chosen:
            say(f"starting {TITLES[name]} ...")
            sites.append(stack.enter_context(START[name](common, provider)))
        browsers = {system.name: prepare(system) for system in sites}
        if with_redis:
            found["Redis bytes per session"] = {system.name: [bytes_per_session(system)] for system in sites}
        for turn in range(1, rounds + 1):
            for title, act in cases.values():
                for system in sites:
                    say(f"{title}: {TITLES[system.name]}, round {turn} ...")
                    result = act(system, browsers[system.name])
                    number, *more = result if isinstance(result, tuple) else (result,)
                    found[title][system.name].append(number)
                    if more:
                        found.setdefault(SPEED, {}).setdefault(system.name, []).extend(more)
        if with_redis:
            found["memory of all processes, MB"] = {one.name: [one.memory() / 1e6] for one in sites}
    return found


def prepare(system: System) -> list[Browser]:
    """Make everybody known, and every process warm. Return browsers that are logged in."""
    log_in_all(system, range(PEOPLE))
    _, browsers = log_in_all(system, range(PEOPLE))
    for browser in browsers[:3]:
        browser.connection = connect(system)
        browser.check(system.guarded)
    look(system, browsers, system.guarded, PAGES)
    return browsers


def bytes_per_session(system: System) -> float:
    """What Redis holds more after people who had no session have logged in."""
    log_in_all(system, range(PEOPLE, 2 * PEOPLE))
    before = held(system.redis)
    log_in_all(system, range(2 * PEOPLE, 4 * PEOPLE))
    return (held(system.redis) - before) / (2 * PEOPLE)


def held(redis: Redis) -> int:
    """Bytes of the keys that live as long as sessions."""
    return sum(
        int(redis.memory_usage(key, samples=0) or 0)
        for key in redis.scan_iter(count=1000)
        if not 0 <= redis.ttl(key) < SESSION_SECONDS
    )


def table(found: Table, chosen: list[str]) -> Iterator[str]:
    base = "express" if "express" in chosen else "flask"
    yield f"{'':40}" + "".join(f"{TITLES[name]:>20}" for name in chosen)
    for title, by_system in found.items():
        yield f"{title:40}" + "".join(f"{cell(by_system, name, base):>20}" for name in chosen)


def cell(by_system: dict[str, list[float]], name: str, base: str) -> str:
    values = by_system[name]
    middle = statistics.median(values)
    if middle != middle:
        return "-"
    number = f"{middle:.0f}" if middle >= 100 else f"{middle:.2f}" if middle < 10 else f"{middle:.1f}"
    if name == base or base not in by_system or by_system[base][0] != by_system[base][0]:
        return f"{number}       "
    ratio = statistics.median(one / other for one, other in zip(values, by_system[base], strict=True))
    return f"{number} ({ratio:.2f})"


if __name__ == "__main__":
    main()
