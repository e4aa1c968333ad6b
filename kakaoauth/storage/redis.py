"""The Redis client, for each form of REDIS_URL: one server, Sentinel, Cluster; and what a request can do without."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import unquote, urlsplit
from zlib import crc32

from flask import Flask, current_app
from redis import DriverInfo, Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.commands.core import Script
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from kakaoauth.config.checks import ConfigError
from kakaoauth.storage.redis_pool import Packer, ReadyPool

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

#: How redis-py says that Redis is away. The cluster's errors are a family of their own.
REDIS_ERRORS = (RedisError, RedisClusterException)

#: Whether Redis has left a `best_effort` of this request without an answer.
_is_silent: ContextVar[bool] = ContextVar("kakaoauth_redis_is_silent", default=False)


def is_full(error: Exception) -> bool:
    """Whether Redis has refused a write because it is at `maxmemory`: it still reads and deletes. A script or a Cluster
    puts the words into an error of another class."""
    return isinstance(error, REDIS_ERRORS) and "command not allowed when used memory > 'maxmemory'" in str(error)


def get_redis(app: Flask) -> Redis:
    """The app's Redis client. Sentinel and Cluster clients answer to the same commands."""
    client: Redis = app.extensions["kakaoauth_redis"]
    return client


def best_effort(call: Callable[P, T]) -> Callable[P, T | None]:
    """Let a request do without this call: it gives None while Redis is away.

    A frozen Redis costs each call two time-outs. After the first one the request tries no other call of this kind.
    """

    @wraps(call)
    def tried(*args: P.args, **kwargs: P.kwargs) -> T | None:
        if _is_silent.get():
            return None
        try:
            return call(*args, **kwargs)
        except REDIS_ERRORS as error:
            _is_silent.set(not isinstance(error, ResponseError))  # which is an answer, and has cost no time
            log.debug("%s left out: %s", call.__qualname__, type(error).__name__)
            return None

    return tried


def _forget_silence(_error: BaseException | None) -> None:
    _is_silent.set(False)


def ask(client: Any, *command: str | int) -> Any:
    """As `client.execute_command(*command)`, for what is read often: the same connections, limits and tries, without
    what redis-py counts around each command for OpenTelemetry, which takes as long as the command."""
    if isinstance(client, LazyCluster):
        return client.execute_command(*command)  # it finds the key's node
    connection = client.connection_pool.get_connection()

    def ask_once() -> Any:
        connection.send_command(*command)
        return connection.read_response()

    try:
        return connection.retry.call_with_retry(ask_once, lambda _error: connection.disconnect())
    finally:
        client.connection_pool.release(connection)


def add(commands: Any, *command: bytes | str | float) -> None:
    """Put a command into a pipeline as it is sent. redis-py's `set` takes longer to look at its options than all else
    takes that is done for a command."""
    commands.execute_command(*command)


def read(client: Any, key: str) -> bytes | None:
    """As `client.get(key)`."""
    found: bytes | None = ask(client, "GET", key)
    return found


def read_all(client: Any, keys: Sequence[str]) -> list[bytes | None]:
    """As `client.mget(keys)`, also for keys of several nodes and for none."""
    if not keys:
        return []
    found = client.mget_nonatomic(keys) if isinstance(client, LazyCluster) else ask(client, "MGET", *keys)
    return cast("list[bytes | None]", found)


def named(name: str) -> str:
    """Return the Redis key of that name in the current app: several apps may share one Redis."""
    return f"{current_app.config['KAKAOAUTH_REDIS_PREFIX']}{name}"


def spread(name: str, by: str) -> str:
    """Return the Redis key that has `by`'s part of what `name` holds of everybody: in a Cluster it is SHARDS keys, so
    that no single node does the work and has the memory for all; elsewhere it is one, `named(name)`.

    A name with `{braces}` gets the part into them: keys of one part that are read together stay in one slot.
    """
    return named(_part(name, crc32(by.encode()) % SHARDS)) if _is_cluster() else named(name)


def all_spread(name: str) -> list[str]:
    """Return all keys that `spread` may give."""
    return [named(_part(name, number)) for number in range(SHARDS)] if _is_cluster() else [named(name)]


def _part(name: str, number: int) -> str:
    return name.replace("}", f":{number}}}") if "}" in name else f"{name}:{number}"


def _is_cluster() -> bool:
    return isinstance(get_redis(current_app), LazyCluster)


#: Seconds between two times that a process tidies up one key.
TIDY = 60


def is_due(key: str) -> bool:
    """Whether to tidy up a key that every login writes, and to say when it ends: not with each of them. A key that is
    made anew has no end until the next time."""
    done: dict[str, float] = current_app.extensions["kakaoauth_tidied"]
    moment = time.time()
    if 0 <= moment - done.get(key, 0) < TIDY:
        return False
    if len(done) > 1000:  # a day's keys are written on that day only
        done.clear()
    done[key] = moment
    return True


#: How each connection names itself. redis-py would look its own version up anew for each, which takes 0.7 ms.
DRIVER = DriverInfo()
#: Keys of a Cluster for one of ours: enough to share the work, and few enough to be asked one after another.
SHARDS = 16
#: A page has 3 seconds to say that Redis is away; two tries of this length leave room for the page itself.
SECONDS = 0.8


def init_app(app: Flask) -> None:
    """Make the app's client; it connects when first used. :raises ConfigError:"""
    app.extensions["kakaoauth_redis"] = connect(app.config["REDIS_URL"])
    app.extensions["kakaoauth_tidied"] = {}
    app.teardown_appcontext(_forget_silence)


def connect(url: str) -> Any:
    """Return a client for `url`; it connects when first used.

    :raises ConfigError: never a silent other Redis.
    """
    scheme, rest = url.split("://", 1)
    try:
        if scheme == "redis+sentinel":
            return _sentinel(rest)
        if scheme == "redis+cluster":
            return _cluster(rest)
        return _single(url)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"REDIS_URL cannot be read ({type(error).__name__}): see the settings table") from None


def _single(url: str) -> Redis:
    """:raises ValueError, TypeError: what redis-py would pass over in silence, or stumble over at the first request."""
    parts = urlsplit(url)
    if not parts.path.strip("/") if parts.scheme == "unix" else not re.fullmatch(r"(/[0-9]*)?", parts.path):
        raise ValueError("no socket, or a database that is no number")
    pool = ReadyPool.from_url(url, driver_info=DRIVER, **_limits())
    pool.connection_class(**pool.connection_kwargs)  # Does not connect yet, and knows the options it takes.
    return Redis.from_pool(pool)


def _limits() -> dict[str, Any]:
    # One more try on a lost connection: after a failover the first command meets a dead socket.
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError, RedisTimeoutError))
    return {
        "socket_timeout": SECONDS,
        "socket_connect_timeout": SECONDS,
        "retry": retry,
        "health_check_interval": 0,
        "command_packer": Packer(),
    }


def _hosts(netloc: str, default_port: int) -> tuple[dict[str, str], list[tuple[str, int]]]:
    """`user:password@h1:1,h2:2` as credentials and addresses."""
    credentials: dict[str, str] = {}
    if "@" in netloc:
        login, netloc = netloc.rsplit("@", 1)
        username, _, password = login.partition(":")
        credentials = {k: unquote(v) for k, v in (("username", username), ("password", password)) if v}
    addresses = []
    for item in netloc.split(","):
        parts = urlsplit(f"//{item.strip()}")
        if not parts.hostname:
            raise ValueError("empty host")
        addresses.append((parts.hostname, parts.port or default_port))
    return credentials, addresses


def _sentinel(rest: str) -> Any:
    netloc, _, path = rest.partition("/")
    name, _, database = path.partition("/")
    credentials, addresses = _hosts(netloc, 26379)
    # Asked once each: redis-py's own retries, with their pauses, would outlast any page.
    once = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(addresses, sentinel_kwargs=once)  # type: ignore[no-untyped-call]
    return sentinel.master_for(name, db=int(database or 0), **credentials, **_limits())  # type: ignore[no-untyped-call]


def _cluster(rest: str) -> Any:
    netloc, _, path = rest.partition("/")
    if path.strip("0"):
        raise ValueError("a cluster has no numbered databases")
    credentials, addresses = _hosts(netloc, 6379)
    nodes = [ClusterNode(host, port) for host, port in addresses]  # type: ignore[no-untyped-call]
    return LazyCluster(nodes, credentials)


class LazyCluster:
    """A RedisCluster that connects when first used: redis-py's own connects when made, and the site could not start
    while Redis is away."""

    def __init__(self, nodes: list[Any], credentials: dict[str, str]) -> None:
        self._nodes = nodes
        self._credentials = credentials
        self._cluster: Any = None

    def register_script(self, script: str) -> Script:
        """Return a script object that runs on whichever node holds the key."""
        return Script(cast(Redis, self), script.encode())

    def close(self) -> None:
        """Close the cluster's connections, if any were opened."""
        if self._cluster is not None:
            self._cluster.close()

    def __getattr__(self, name: str) -> Any:
        if self._cluster is None:
            self._cluster = RedisCluster(
                startup_nodes=self._nodes,
                socket_timeout=SECONDS,
                socket_connect_timeout=SECONDS,
                retry=Retry(NoBackoff(), 1),
                **self._credentials,  # type: ignore[arg-type]
            )
        return getattr(self._cluster, name)
