"""Which keys of Redis a login touches, and how the keys of many sessions would lie in a Cluster."""

import threading
from collections import Counter
from collections.abc import Callable
from statistics import mean, pstdev
from typing import NamedTuple

from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot


class Slots(NamedTuple):
    """How many keys a slot of a Cluster has."""

    keys: int
    used: int
    average: float
    deviation: float
    most: int


def slots_of(redis: Redis) -> Slots:
    """Sort all keys into a Cluster's slots, as it would by their names."""
    counts = Counter(key_slot(key) for key in redis.scan_iter(count=10_000))
    numbers = [counts.get(slot, 0) for slot in range(REDIS_CLUSTER_HASH_SLOTS)]
    return Slots(sum(numbers), len(counts), mean(numbers), pstdev(numbers), max(numbers))


def commands_of(redis: Redis, act: Callable[[], object]) -> list[tuple[str, str]]:
    """The commands that Redis gets while `act` runs, with their first key."""
    seen: list[tuple[str, str]] = []
    with redis.monitor() as monitor:
        thread = threading.Thread(target=_listen, args=(monitor, seen))
        thread.start()
        act()
        redis.echo("that was all")
        thread.join(10)
    return seen


def _listen(monitor: object, seen: list[tuple[str, str]]) -> None:
    for line in monitor.listen():  # type: ignore[attr-defined]
        words = line["command"].split(" ")
        if words[0] == "ECHO":
            return
        if words[0] in ("EVALSHA", "EVAL"):
            seen.append((words[0], words[3]))
        elif len(words) > 1:
            seen.append((words[0], words[1]))


def of_everybody(commands: list[tuple[str, str]], again: list[tuple[str, str]]) -> Counter[str]:
    """Keys that two logins of different people both touch, and how often one of them does: the hot ones."""
    shared = {key for _, key in commands} & {key for _, key in again}
    return Counter(key for _, key in commands if key in shared)
