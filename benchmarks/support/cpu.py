"""The processor time of whoever works for a request: this process, its connections to PostgreSQL, its Redis."""

import time
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import psutil
from flask import Flask
from sqlalchemy import text

from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"


class Used(NamedTuple):
    """Milliseconds for one request, by the clock and of processors."""

    wall: float
    app: float
    database: float
    redis: float

    @property
    def cpu(self) -> float:
        """All processors together."""
        return self.app + self.database + self.redis


@dataclass
class Meter:
    """Reads the clocks of an app's processes."""

    app: Flask
    backends: list[psutil.Process]
    redis: psutil.Process

    @classmethod
    def of(cls, app: Flask) -> "Meter":
        """Find the processes; call it again where the app has connected anew."""
        with app.app_context():
            is_postgresql = db.engine.dialect.name == "postgresql"
            pids = db.session.scalars(text(BACKENDS)).all() if is_postgresql else []
            server = get_redis(app).info("server")["process_id"]
        return cls(app, [psutil.Process(pid) for pid in pids], psutil.Process(server))

    def read(self) -> Used:
        """Return all clocks as they are now, in milliseconds."""
        wall, app = time.perf_counter(), time.process_time()
        return Used(wall * 1000, app * 1000, sum(map(_spent, self.backends)), _spent(self.redis))


def _spent(process: psutil.Process) -> float:
    """In milliseconds, exact to the nanosecond where Linux counts the turns of its scheduler."""
    try:
        with open(f"/proc/{process.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e6
    except OSError:
        times = process.cpu_times()
        return float(times.user + times.system) * 1000


def middle(readings: list[Used]) -> Used:
    """The median of each clock."""
    return Used(*(median(values) for values in zip(*readings, strict=True)))
