"""Connections to one Redis that are ready for the next command, and how it is written."""

import os
from typing import Any

from hiredis import pack_command
from redis.connection import ConnectionPool, HiredisRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class ReadyPool(ConnectionPool):
    """redis-py's pool, and before it connections that are idle: to the pool itself they are in use.

    It counts each taking and giving back for OpenTelemetry, whether anybody listens or not, which takes longer than to
    look whether the connection lives. It still makes the connections, replaces them, and closes them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Each command of a pipeline would be looked at whether it is HIMPORT SET, and so needs this. None of ours is.
        self.connection_kwargs.pop("himport_registry", None)

    def reset(self) -> None:
        """Forget all connections (called when the pool is made, and after a fork)."""
        super().reset()
        #: The last one that came back is taken first. Python changes a dictionary by one thread at a time.
        self._ready: dict[Any, None] = {}

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """Return a connection that can be written to. :raises ConnectionError:"""
        try:
            connection, _ = self._ready.popitem()
        except KeyError:
            return super().get_connection()
        if _is_usable(connection):
            return connection
        connection.disconnect()
        super().release(connection)
        return super().get_connection()

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        self._ready[connection] = None


def _is_usable(connection: Any) -> bool:
    """As the pool looks itself, but more strictly: on a connection by TCP it takes an answer that nobody has read for a
    notice of the server's, and the next command would get it."""
    try:
        return bool(
            connection.pid == os.getpid()
            and connection.is_connected
            and not connection.should_reconnect()
            and not connection.can_read()
        )
    except (RedisConnectionError, RedisTimeoutError, OSError):
        return False


class Packer(HiredisRespSerializer):
    """Writes a command in one step. redis-py's own looks for more words in its name, and at the type of each value."""

    def pack(self, *args: Any) -> Any:
        """Return the command as it is sent."""
        if " " in args[0]:
            return super().pack(*args)
        try:
            return [pack_command(args)]
        except TypeError:  # what redis-py converts, or refuses by an error of its own
            return super().pack(*args)
