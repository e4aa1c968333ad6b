"""Connections to Redis that are kept ready: only those that can take a command are handed out."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from redis.connection import HiredisRespSerializer
from redis.exceptions import DataError
from support.redis_server import RedisServer

from kakaoauth.storage import redis as redis_client
from kakaoauth.storage.redis_pool import Packer


@pytest.fixture
def client(start_redis: Callable[..., RedisServer]) -> Iterator[Redis]:
    client = redis_client.connect(start_redis().url)
    client.ping()
    yield client
    client.close()


def taken(client: Redis) -> Any:
    pool = client.connection_pool
    connection = pool.get_connection()
    pool.release(connection)
    return connection


def test_connection_is_used_again(client: Redis) -> None:
    ready = taken(client)
    client.ping()
    client.pipeline(transaction=False).get("key").execute()
    assert taken(client) is ready
    assert client.info("clients")["connected_clients"] == 2, "and the one of the fixture"


def test_two_at_once_get_two(client: Redis) -> None:
    pool = client.connection_pool
    first, second = pool.get_connection(), pool.get_connection()
    assert first is not second
    pool.release(first)
    pool.release(second)
    pool.release(second)
    assert {pool.get_connection(), pool.get_connection()} == {first, second}, "given back twice, it is there once"


def test_answer_that_nobody_has_read_is_no_answer_to_the_next_command(client: Redis) -> None:
    client.set("mine", "1")
    client.set("theirs", "2")
    pool = client.connection_pool
    connection = pool.get_connection()
    connection.send_command("GET", "theirs")
    assert connection.can_read(timeout=5)
    pool.release(connection)
    assert client.get("mine") == b"1"


@pytest.mark.parametrize("by", ["server", "pool", "mark"])
def test_connection_that_has_ended_is_replaced(client: Redis, start_redis: Any, by: str) -> None:
    ended = taken(client)
    number = client.client_id()
    if by == "server":
        client.execute_command("CLIENT", "KILL", "ID", number, "SKIPME", "no")
    elif by == "pool":
        client.connection_pool.disconnect()
        assert not ended.is_connected, "the idle ones as well"
    else:
        ended.mark_for_reconnect()
    assert taken(client).is_connected
    assert client.client_id() != number


def test_child_does_not_write_to_the_connection_of_its_parent(client: Redis) -> None:
    number = client.client_id()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, str(client.client_id()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() not in ("", str(number))
    assert client.client_id() == number


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "키", b"\x00\r\n", "EX", 60),
        ("ZADD", "key", 1.5, ""),
        ("SCRIPT EXISTS", "0"),
        ("SET", "key", bytearray(b"1")),
        ("SET", "key", memoryview(b"1")),
    ],
)
def test_command_is_written_as_by_redis_py(command: tuple[Any, ...]) -> None:
    assert Packer().pack(*command) == HiredisRespSerializer().pack(*command)


def test_value_that_cannot_be_written_is_refused_as_by_redis_py() -> None:
    with pytest.raises(DataError):
        Packer().pack("SET", "key", None)
