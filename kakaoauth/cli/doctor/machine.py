"""What this machine needs besides Kakao: Redis and the database. Asks, and writes nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth.cli.doctor.findings import Report
from kakaoauth.monitoring import backlog
from kakaoauth.storage import health, schema
from kakaoauth.storage.database import Base, db
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis
from kakaoauth.translation import gettext

OLDEST_REDIS = (6, 2)
SCHEMA_CHECKS = ("machine.schema", "machine.host_tables", "machine.backlog")
#: What a foreign key may say for the row it refers to to go.
LETS_GO = frozenset(("CASCADE", "SET NULL"))
SQLITE_REFERENCES = text(
    "SELECT t.name, f.on_delete FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f"
    " WHERE t.type = 'table' AND lower(f.\"table\") IN ('users', 'identities')"
)
REDIS_CHECKS = ("machine.redis_version", "machine.redis_eviction", "machine.redis_persistence")
KINDS = {"redis+sentinel": "Sentinel", "redis+cluster": "Cluster"}


def check(app: Flask, report: Report) -> None:
    """Check Redis and the database."""
    _check_redis(app, report)
    _check_database(app, report)


def _check_redis(app: Flask, report: Report) -> None:
    kind = KINDS.get(app.config["REDIS_URL"].split("://", 1)[0]) or gettext("one server")
    try:
        get_redis(app).ping()
    except REDIS_ERRORS as error:
        cure = gettext("Start Redis, or correct REDIS_URL: address, user, password.")
        if "redis" in app.config["KAKAOAUTH_EMBEDDED"]:
            cure = gettext("Start the site with `make run`, which brings its own Redis, or set REDIS_URL.")
        # Without the error's text: it may quote the address with its password.
        report.fail("machine.redis", cure, f"{kind}: {type(error).__name__}")
        report.skip(REDIS_CHECKS, "machine.redis")
        return
    report.ok("machine.redis", kind)
    _check_version(_info(app, "server"), report)
    _check_eviction(_info(app, "memory"), report)
    _check_persistence(app, report)


def _info(app: Flask, section: str) -> list[dict[str, Any]]:
    """What each node that was asked says; empty if we may not ask."""
    try:
        answer: Any = get_redis(app).info(section)
    except REDIS_ERRORS:
        return []
    nodes = list(answer.values())
    return nodes if nodes and all(isinstance(node, dict) for node in nodes) else [answer]


def _unknown(check: str, report: Report) -> None:
    cure = gettext("Allow INFO and CONFIG GET to the user in REDIS_URL, or look it up at your Redis provider.")
    report.warn(check, cure, gettext("Redis does not say"))


def _check_version(nodes: list[dict[str, Any]], report: Report) -> None:
    versions = {str(node["redis_version"]) for node in nodes if "redis_version" in node}
    numbers = [tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2]) for version in versions]
    seen = ", ".join(sorted(versions))
    if not numbers:
        _unknown("machine.redis_version", report)
    elif min(numbers) < OLDEST_REDIS:
        report.fail("machine.redis_version", gettext("Update Redis to 6.2 or newer, or use Valkey."), seen)
    else:
        report.ok("machine.redis_version", seen)


def _check_eviction(nodes: list[dict[str, Any]], report: Report) -> None:
    policies = {str(node["maxmemory_policy"]) for node in nodes if node.get("maxmemory_policy")}
    seen = ", ".join(sorted(policies))
    if not policies:
        _unknown("machine.redis_eviction", report)
    elif any(policy.startswith("allkeys") for policy in policies):
        cure = gettext("Set maxmemory-policy to noeviction: a full Redis logs people out at random now.")
        report.fail("machine.redis_eviction", cure, seen)
    elif policies != {"noeviction"}:
        # Sessions have a lifetime, so they may go too, but only those.
        report.ok("machine.redis_eviction", gettext("%(policy)s; noeviction is better still", policy=seen))
    else:
        report.ok("machine.redis_eviction", seen)


def _check_persistence(app: Flask, report: Report) -> None:
    nodes = _info(app, "persistence")
    if not nodes:
        _unknown("machine.redis_persistence", report)
        return
    if all(node.get("aof_enabled") for node in nodes):
        report.ok("machine.redis_persistence", "appendonly")
        return
    saves = _snapshots(app)
    if saves is None:
        _unknown("machine.redis_persistence", report)
    elif saves:
        report.ok("machine.redis_persistence", gettext("by snapshots; the last minutes may be lost"))
    else:
        cure = gettext("Set appendonly yes: otherwise everybody is logged out when Redis restarts.")
        report.warn("machine.redis_persistence", cure)


def _snapshots(app: Flask) -> bool | None:
    try:
        answer: Any = get_redis(app).config_get("save")
    except REDIS_ERRORS:
        return None
    return bool(answer["save"]) if isinstance(answer, dict) and "save" in answer else None


def _check_database(app: Flask, report: Report) -> None:
    kind, upgrade = db.engine.dialect.name, gettext("Run `flask kakaoauth upgrade`.")
    file = db.engine.url.database or ""
    # To connect would make the file.
    if kind == "sqlite" and file and not file.startswith((":", "file:")) and not Path(file).exists():
        report.fail("machine.database", upgrade, gettext("SQLite: there is no file yet"))
        report.skip(SCHEMA_CHECKS, "machine.database")
        return
    level = health.schema()
    if level is None:
        cure = gettext("Start the database, or correct DATABASE_URL: address, user, password, name.")
        report.fail("machine.database", cure, kind)
        report.skip(SCHEMA_CHECKS, "machine.database")
        return
    if kind == "sqlite" and not app.config["KAKAOAUTH_EMBEDDED"]:
        cure = gettext("For more than one machine or many people set DATABASE_URL to PostgreSQL.")
        report.warn("machine.database", cure, "SQLite")
    else:
        report.ok("machine.database", kind)
    if level == schema.wanted():
        report.ok("machine.schema", level)
        _check_content(report)
    else:
        seen = gettext("it is at %(level)s, this version needs %(wanted)s", level=level or "-", wanted=schema.wanted())
        report.fail("machine.schema", upgrade, seen)
        report.skip(SCHEMA_CHECKS[1:], "machine.schema")


def _check_content(report: Report) -> None:
    try:
        tables, left = _referring_tables(), backlog.read()
    except SQLAlchemyError as error:
        report.skip_for("machine.host_tables", type(error).__name__)
        report.skip_for("machine.backlog", type(error).__name__)
        return
    if tables:
        cure = gettext(
            "Set ondelete to CASCADE or SET NULL there, or leave it: who leaves is erased, and an empty row stays."
        )
        report.warn("machine.host_tables", cure, ", ".join(tables))
    else:
        report.ok("machine.host_tables")
    if left.unlinks_given_up or left.webhooks_failed or left.erasings_overdue:
        cure = gettext("Find the cause in the log, mend it, and run `flask --app wsgi kakao retry`.")
        seen = gettext(
            "disconnects given up: %(unlinks)s, messages that could not be applied: %(messages)s",
            unlinks=left.unlinks_given_up,
            messages=left.webhooks_failed,
        )
        if left.erasings_overdue:
            overdue = gettext("closed accounts that should be erased by now: %(number)s", number=left.erasings_overdue)
            seen = f"{seen}, {overdue}"
        report.warn("machine.backlog", cure, seen)
    else:
        report.ok("machine.backlog")


def _referring_tables() -> list[str]:
    """Tables that are not ours and keep a user's row, or an identity's, from being deleted."""
    mapped = (one for one in Base.registry.mappers if one.class_.__module__.startswith("kakaoauth."))
    ours = {getattr(one.local_table, "name", "") for one in mapped}
    return sorted({table for table, rule in _references() if table not in ours and rule not in LETS_GO})


def _references() -> Iterator[tuple[str, str]]:
    """Tables that refer to `users` or `identities`, and what each says of a row there that is deleted."""
    if db.engine.dialect.name == "sqlite":  # where SQLAlchemy does not read the rule of a column's own REFERENCES
        for table, rule in db.session.execute(SQLITE_REFERENCES):
            yield table, rule
        return
    for (_, table), keys in inspect(db.engine).get_multi_foreign_keys().items():
        for key in keys:
            if key["referred_table"] in ("users", "identities"):
                yield table, (key["options"].get("ondelete") or "").upper()
