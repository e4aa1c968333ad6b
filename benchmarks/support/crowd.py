"""Fill a site with people who do not exist, their sessions, and what they are said to have done."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import select, text, update

from kakaoauth import testing
from kakaoauth.cli import seed as seeding
from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.storage.redis import get_redis

#: Sessions that are sent together.
BATCH = 1_000
#: Characters of a session's name that all keys and lists have.
BEGINNING = 12
#: One login in twenty is refused, one row in five is not about a login.
EVENTS = """
INSERT INTO audit_events (at, action, result, reason, actor_id, target_id, provider, source, agent, details)
SELECT now() - (CAST(:number AS bigint) - n) * interval '20 seconds',
       CASE n % 5 WHEN 0 THEN 'logout' ELSE 'login' END,
       CASE WHEN n % 20 = 3 THEN 'refused' ELSE 'done' END, CASE WHEN n % 20 = 3 THEN 'LOGIN_CANCELLED' ELSE '' END,
       CASE WHEN n % 20 = 3 THEN NULL ELSE 1 + n::bigint * 7919 % :number END,
       CASE WHEN n % 1000 = 7 THEN 1 + n::bigint * 104729 % :number END,
       CASE WHEN n % 7 = 0 THEN 'facebook' ELSE 'kakao' END, '203.0.113.' || n % 256,
       'Mozilla/5.0 (Linux; Android 15; SM-S931N) AppleWebKit/537.36 Chrome/1' || 20 + n % 20 || '.0.0.0 Mobile', '{}'
FROM generate_series(1, CAST(:number AS bigint)) n
"""


def add_people(number: int) -> None:
    """Add users, and on PostgreSQL as many audit events. What autovacuum does within a minute is done."""
    seeding.seed(number, random_seed=1, report=lambda _: None)
    if db.engine.dialect.name != "postgresql":
        return
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.bounded = False
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(EVENTS), {"number": number})
        connection.execute(text("VACUUM ANALYZE users, identities, audit_events"))
        connection.invalidate()


def log_in_superuser(app: Flask, person: str = "haneul") -> FlaskClient:
    """Return a browser in which a superuser is logged in."""
    testing.log_in(client := app.test_client(), person)
    with app.app_context():
        newest = db.session.scalar(select(User.id).order_by(User.id.desc()).limit(1))
        db.session.execute(update(User).where(User.id == newest).values(is_staff=True, is_superuser=True))
        db.session.commit()
    testing.log_in(client, person)
    return client


def copy_session(app: Flask, number: int) -> None:
    """Give so many made-up users the same session as the one person has who is logged in: every key that a login leaves
    and that is a session's own, whatever the version of the site keeps there."""
    with app.app_context():
        user_id = db.session.scalar(select(User.id).order_by(User.id.desc()).limit(1))
    redis = get_redis(app)
    (key,) = redis.scan_iter("*session:*", count=1000)
    name = key.rpartition(b":")[2]
    whole = b"".join(map(_written, _templates(redis, name, str(user_id).encode())))
    copies = (_copy(whole, name, user_id, number) for number in range(1, number + 1))
    with Redis.from_url(app.config["REDIS_URL"], socket_timeout=600) as patient:
        connection = patient.connection_pool.get_connection()
        connection.send_command("CLIENT", "REPLY", "OFF")
        while batch := list(islice(copies, BATCH)):
            connection.send_packed_command([b"".join(batch)])
        connection.disconnect()
    redis.ping()


def _templates(redis: Redis, name: bytes, user_id: bytes) -> Iterator[list[bytes]]:
    """The commands that make what is in Redis of this session."""
    for key in redis.scan_iter(count=1000):
        seconds = str(max(redis.ttl(key), 0)).encode()
        kind = redis.type(key)
        if kind == b"string" and name in key:
            yield [b"SET", key, redis.get(key) or b"", b"EX", seconds]
        if kind == b"zset":
            for member, score in redis.zrange(key, 0, -1, withscores=True):
                if name.startswith(member) or key.endswith(b":" + user_id):
                    yield [b"ZADD", key, repr(score).encode(), member]
                    yield [b"EXPIRE", key, seconds]
        if kind == b"hash" and (name in key or key.endswith(b":" + user_id)):
            yield [b"HSET", key, *(part for pair in redis.hgetall(key).items() for part in pair)]
            yield [b"EXPIRE", key, seconds]


def _written(command: list[bytes]) -> bytes:
    """A command as Redis reads it."""
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in command)


def _copy(whole: bytes, name: bytes, user_id: int, number: int) -> bytes:
    """The same for another session and another user, of as many digits: nothing changes its length."""
    digits = len(str(user_id))
    new_id = 10 ** (digits - 1) + number % (9 * 10 ** (digits - 1))
    new_name = sha256(b"%d" % number).hexdigest().encode()
    return whole.replace(name[:BEGINNING], new_name[:BEGINNING]).replace(b"%d" % user_id, b"%d" % new_id)
