"""Signs of life while Redis is away, or its client is closed."""

from collections.abc import Callable

import pytest
from redis import Redis
from support.concurrency import until
from support.redis_server import RedisServer

from kakaoauth.storage.heartbeat import Heartbeat


def test_client_that_is_closed_during_a_beat_does_not_end_the_beating(
    start_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_redis()
    client = Redis(port=server.port)
    client.ping()
    server.freeze()

    def is_closed_and_noticed() -> bool:
        client.close()
        return "no sign of life" in caplog.text

    with Heartbeat(client).of("alive"):
        until(is_closed_and_noticed)
        server.thaw()
        assert until(lambda: server.client.exists("alive"))
    client.close()
