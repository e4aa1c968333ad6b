"""Every form of REDIS_URL, against real servers: one server, Sentinel, Cluster. Never a silent other Redis."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import Sentinel
from support import FakeKakao, csrf_token, log_in, set_cookie
from support.concurrency import until
from support.ports import free_port
from support.redis_server import RedisServer
from support.stopwatch import Stopwatch

from kakaoauth.config.checks import ConfigError
from kakaoauth.counting import active_users
from kakaoauth.days import today
from kakaoauth.sessions import index as session_index
from kakaoauth.storage import redis as redis_client


def assert_carries_a_session(app: Flask, kakao: FakeKakao, store: Any) -> None:
    """A whole life of a session: begun, read, written, extended, ended; nothing of it left anywhere else."""
    client = app.test_client()
    assert log_in(client, kakao, next="/users/me/").location == "/users/me/"
    assert client.get("/users/me/").status_code == 200
    assert len(list(store.scan_iter("session:*"))) == 1
    copied, token = set_cookie(client), csrf_token(client)
    log_in(client, kakao)
    assert len(list(store.scan_iter("session:*"))) == 1
    phone = app.test_client()
    log_in(phone, kakao)
    assert client.get("/users/me/").text.count("/end/") == 2, "both are listed"
    client.post("/users/me/devices/end-others/", data={"csrf_token": csrf_token(client)})
    assert phone.get("/users/me/").status_code == 302
    assert len(list(store.scan_iter("session*"))) == 2, "one session, one list"
    copied = set_cookie(client)
    assert list(store.scan_iter("rate:*")), "the limits count there as well"
    assert client.post("/kakao/logout/", data={"csrf_token": token}).status_code == 400
    answer = client.post("/kakao/logout/", data={"csrf_token": csrf_token(client), "account": "1"})
    assert answer.location.startswith("https://kauth.kakao.com/oauth/logout?")
    client.set_cookie("session", copied)
    assert client.get("/users/me/").status_code == 302
    assert app.test_client().get("/readyz").json["redis"] == "ok"


def test_one_server_by_tcp(make_app: Any, kakao: FakeKakao, start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    assert_carries_a_session(make_app(REDIS_URL=server.url), kakao, server.client)


def test_one_server_by_socket(make_app: Any, kakao: FakeKakao, redis_url: str, redis: Redis) -> None:
    assert redis_url.startswith("unix://")
    assert_carries_a_session(make_app(), kakao, redis)


def test_database_number_and_password_of_the_url_are_used(
    make_app: Any, kakao: FakeKakao, start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis()
    server.client.config_set("requirepass", "p@ss/word")
    with Redis(port=server.port, db=3, password="p@ss/word") as store:
        app = make_app(REDIS_URL=f"redis://:p%40ss%2Fword@127.0.0.1:{server.port}/3")
        assert_carries_a_session(app, kakao, store)
        wrong = make_app(REDIS_URL=f"redis://:wrong@127.0.0.1:{server.port}/3", TESTING=False).test_client()
        assert wrong.get("/").status_code == 503
        assert wrong.get("/kakao/login/").status_code == 503
    server.client.connection_pool.connection_kwargs["password"] = "p@ss/word"


def test_sentinel_names_the_master(make_app: Any, kakao: FakeKakao, start_redis: Callable[..., RedisServer]) -> None:
    master = start_redis()
    sentinel = start_redis("--sentinel", config=f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n")
    dead = free_port()
    hosts = f"127.0.0.1:{dead},127.0.0.1:{sentinel.port}"
    with Redis(port=master.port, db=2) as store:
        app = make_app(REDIS_URL=f"redis+sentinel://{hosts}/mymaster/2")
        assert_carries_a_session(app, kakao, store)
    assert master.client.dbsize() == 0
    assert Sentinel([("127.0.0.1", sentinel.port)]).discover_master("mymaster") == ("127.0.0.1", master.port)


def test_sentinel_that_knows_no_such_master_is_an_outage(
    make_app: Any, start_redis: Callable[..., RedisServer]
) -> None:
    master = start_redis()
    sentinel = start_redis("--sentinel", config=f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n")
    app = make_app(REDIS_URL=f"redis+sentinel://127.0.0.1:{sentinel.port}/another", TESTING=False)
    assert app.test_client().get("/").status_code == 503
    assert app.test_client().get("/kakao/login/").status_code == 503


class BreaksOff(socketserver.BaseRequestHandler):
    """Leads to a Redis, and breaks off the connection at the first GETs."""

    target = 0
    times = 0

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.target)) as far:
            threading.Thread(target=self.answer, args=(far,), daemon=True).start()
            while data := self.request.recv(65536):
                if b"GET" in data and type(self).times:
                    type(self).times -= 1
                    return
                far.sendall(data)

    def answer(self, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                self.request.sendall(data)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_connection_that_breaks_off_while_it_reads_is_tried_once_more(
    start_redis: Callable[..., RedisServer], times: int
) -> None:
    server = start_redis()
    server.client.set("key", "value")
    handler = type("Handler", (BreaksOff,), {"target": server.port, "times": times})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as proxy:
        proxy.daemon_threads, proxy.block_on_close = True, False
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        client = redis_client.connect(f"redis://127.0.0.1:{proxy.server_address[1]}/0?max_connections=1")
        if times < 2:
            assert redis_client.read(client, "key") == b"value"
            assert redis_client.read(client, "nothing") is None
        else:
            with pytest.raises(RedisConnectionError):
                redis_client.read(client, "key")
            assert redis_client.read(client, "key") == b"value", "the connection is back in the pool"
        proxy.shutdown()
        client.close()


@pytest.fixture
def cluster(start_redis: Callable[..., RedisServer]) -> RedisServer:
    """One node that has all slots."""
    node = start_redis("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    node.client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
    until(lambda: node.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    return node


def test_cluster_carries_a_session(make_app: Any, kakao: FakeKakao, cluster: RedisServer) -> None:
    app = make_app(REDIS_URL=f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{cluster.port}")
    assert_carries_a_session(app, kakao, cluster.client)


def test_cluster_spreads_what_everybody_writes(make_app: Any, cluster: RedisServer) -> None:
    app = make_app(REDIS_URL=f"redis+cluster://127.0.0.1:{cluster.port}")
    moment = time.time()
    with app.app_context():
        redis = redis_client.get_redis(app)
        for number in range(1, 61):
            commands = redis.pipeline(transaction=False)
            active_users.mark_active(commands, number)
            name = sha256(str(number).encode()).hexdigest()
            session_index.enter(commands, number, name, seen=moment, until=moment + 60, seconds=60)
        active_users.mark_many_active(today() - timedelta(days=1), range(31, 91))
        assert session_index.number_open(redis) == 60
        session_index.strike(redis, 1, [sha256(b"1").hexdigest()])
        session_index.strike_all(redis, 2)
        assert session_index.number_open(redis) == 58
        assert active_users.number_on(today()) == 60
        assert active_users.active_in_last(2) == 90, "who was here on both days is one person"
    for keys in (cluster.client.keys("open-sessions*"), cluster.client.keys(f"{{people*{today()}")):
        assert len(keys) == redis_client.SHARDS
        assert len({key_slot(key) for key in keys}) == redis_client.SHARDS


@pytest.mark.parametrize("is_cluster", [False, True])
def test_several_keys_are_read_at_once(make_app: Any, cluster: RedisServer, is_cluster: bool) -> None:
    app = make_app(REDIS_URL=f"redis+cluster://127.0.0.1:{cluster.port}") if is_cluster else make_app()
    redis = redis_client.get_redis(app)
    redis.set("one", "1")
    redis.set("two", "2")
    assert key_slot(b"one") != key_slot(b"two")
    assert redis_client.read_all(redis, ["two", "none", "one"]) == [b"2", None, b"1"]
    assert redis_client.read_all(redis, []) == []


def test_elsewhere_they_are_one_key(make_app: Any) -> None:
    app = make_app()
    with app.app_context():
        assert redis_client.all_spread("open-sessions") == [redis_client.spread("open-sessions", "anybody")]
        assert redis_client.all_spread("open-sessions") == ["open-sessions"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:{port}/0",
        "unix:///nowhere/redis.sock",
        "redis+sentinel://127.0.0.1:{port}/mymaster/0",
        "redis+cluster://127.0.0.1:{port}",
    ],
)
def test_site_starts_while_redis_is_away_and_says_so(make_app: Any, url: str) -> None:
    client = make_app(REDIS_URL=url.format(port=free_port()), TESTING=False).test_client()
    watch = Stopwatch()
    for path in ("/", "/kakao/login/"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert "Retry-After" in answer.headers
    assert client.get("/readyz").json["redis"] == "unavailable"
    assert client.get("/healthz").status_code == 200
    assert watch.seconds() < 3


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:port",
        "redis://127.0.0.1:6379/mymaster",
        "redis://127.0.0.1:6379/0/1",
        "redis://127.0.0.1:6379/0?nonsense=1",
        "redis://127.0.0.1:6379/0?socket_timeout=soon",
        "redis://h1:6379,h2:6379/0",
        "redis+sentinel://h1:26379,h2:26379",
        "redis+sentinel://h1:26379/",
        "redis+sentinel://h1:26379/mymaster/zero",
        "redis+sentinel://,/mymaster/0",
        "redis+sentinel://h1:port/mymaster/0",
        "redis+cluster://",
        "redis+cluster://h1:6379,,h2:6379",
        "redis+cluster://h1:port",
        "redis+cluster://h1:6379/3",
        "redis+cluster://h1:99999",
        "sentinel://h1/mymaster",
        "localhost:6379",
        "unix://",
    ],
)
def test_url_that_cannot_be_meant_is_refused(make_app: Any, url: str) -> None:
    with pytest.raises(ConfigError, match=r"^REDIS_URL ") as refused:
        make_app(REDIS_URL=url)
    assert "\n" not in str(refused.value)


def test_refusal_keeps_the_password_to_itself(make_app: Any) -> None:
    for url in ("redis://:canary@h:port/0", "redis+sentinel://:canary@h:port/m/0", "redis+cluster://:canary@h:port"):
        with pytest.raises(ConfigError) as refused:
            make_app(REDIS_URL=url)
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h", {"host": "h", "port": 6379, "db": 0}),
        ("redis://u:p@h:7/2", {"host": "h", "port": 7, "db": 2, "username": "u", "password": "p"}),
        ("rediss://h/1", {"host": "h", "db": 1}),
        ("unix:///run/redis.sock?db=4", {"path": "/run/redis.sock", "db": 4}),
        ("redis+sentinel://u:p%40@h1,[::1]:2/m", {"username": "u", "password": "p@", "db": 0}),
    ],
)
def test_url_is_read_to_its_last_part(url: str, options: dict[str, Any]) -> None:
    client = redis_client.connect(url)
    found = client.connection_pool.connection_kwargs
    assert {"host": "localhost", "port": 6379, "db": 0, **found}.items() >= options.items()
    assert found["socket_timeout"] == found["socket_connect_timeout"] == redis_client.SECONDS
    client.close()
