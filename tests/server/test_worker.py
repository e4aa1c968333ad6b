"""The gunicorn worker: no client, however slow, holds a thread. Real gunicorns, with two threads each."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from support.ports import free_port

from kakaoauth.config.settings import ROOT
from kakaoauth.server.connection import ClientSocket, Connection
from kakaoauth.server.incoming import MAX_HEAD, MAX_LINE, Arrived, Incoming
from kakaoauth.server.pool import Pool
from kakaoauth.server.worker import Settings

#: Generous: the machine may be busy with other tests.
SECONDS = 30.0
LIMIT = 20_000
THREADS = 2

APP = f"""
import gc
import hashlib
import sys
from flask import Flask, Response, request
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = {LIMIT}

@app.route("/", methods=["GET", "POST"])
def index():
    body = request.get_data()
    return f"{{len(body)}} {{hashlib.sha256(body).hexdigest()}}"

@app.get("/big/<int:size>/")
def big(size):
    return b"x" * size

@app.get("/stream/<int:size>/")
def stream(size):
    return Response(b"x" * 65536 for _ in range(size // 65536))

@app.get("/garbage/")
def garbage():
    return f"{{gc.get_threshold()[0]}} {{gc.get_freeze_count()}}"

@app.get("/exit/")
def end():
    sys.exit(1)

@app.post("/unread/")
def unread():
    return "not read"
"""
CONF = """
from kakaoauth.server import clients, connection
worker_class = "kakaoauth.server.BufferingWorker"
bind, workers, threads, graceful_timeout = "127.0.0.1:{port}", 1, 2, 5
control_socket_disable = True
accesslog = "-"
"""


class Server:
    def __init__(self, folder: Path, **changes: object) -> None:
        self.port = free_port()
        (folder / "tiny.py").write_text(APP)
        own = [f"{name} = {value!r}" for name, value in changes.items() if name.islower()]
        theirs = [
            f"{'connection' if name == 'MAX_UNSENT' else 'clients'}.{name} = {value!r}"
            for name, value in changes.items()
            if name.isupper()
        ]
        (folder / "conf.py").write_text("\n".join([CONF.format(port=self.port), *own, *theirs]))
        self.log = folder / f"{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", str(folder / "conf.py"), "--chdir", str(folder), "tiny:app"],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.held: list[socket.socket] = []

    def connect(self, data: bytes = b"", *, receive_buffer: int = 0) -> socket.socket:
        client = socket.socket()
        client.settimeout(SECONDS)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(("127.0.0.1", self.port))
        client.sendall(data)
        self.held.append(client)
        return client

    def hold(self, number: int, data: bytes) -> list[socket.socket]:
        return [self.connect(data) for _ in range(number)]

    def get(self, path: str = "/") -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def stop(self) -> None:
        for client in self.held:
            client.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(SECONDS)


def until(done: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(0.02)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(**changes: object) -> Server:
        server = Server(tmp_path, **changes)
        started.append(server)
        until(lambda: "Booting worker" in server.log.read_text(), server.log.read_text())
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that do not stop or change it; its clients may be as slow as they like."""
    server = Server(tmp_path_factory.mktemp("server"), HEAD_SECONDS=600.0, BODY_SECONDS=600.0, threads=THREADS)
    until(lambda: "Booting worker" in server.log.read_text(), server.log.read_text())
    yield server
    server.stop()


def read_answer(client: socket.socket) -> tuple[int, bytes, bytes]:
    """Status, head and body of one answer with a Content-Length; what follows it stays unread."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        assert piece, f"closed after {head!r}"
        head += piece
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    body = b""
    while len(body) < length:
        body += client.recv(length - len(body))
    return int(head.split()[1]), head, body


def read_all(client: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65536):
            found += piece
    return found


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
HALF_CHUNK = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nhalf"


# Slow clients


@pytest.mark.parametrize("changes", [{}, {"worker_connections": 20}], ids=["room for all", "more than fit"])
def test_half_requests_hold_up_nobody(serve: Callable[..., Server], changes: dict[str, object]) -> None:
    server = serve(HEAD_SECONDS=600.0, BODY_SECONDS=600.0, **changes)
    server.hold(100, HALF_HEAD)
    server.hold(100, b"")
    server.hold(50, HALF_BODY)
    server.hold(50, HALF_CHUNK)
    for _ in range(5):
        assert server.get() == 200


def test_a_client_that_is_late_with_a_request_is_told_so_and_closed(serve: Callable[..., Server]) -> None:
    server = serve(HEAD_SECONDS=0.3, BODY_SECONDS=0.3)
    for half in (HALF_HEAD, HALF_BODY, HALF_CHUNK, GET + HALF_HEAD, GET + HALF_BODY):
        client = server.connect(half)
        if half.startswith(GET):
            assert read_answer(client)[0] == 200
        status, head, _body = read_answer(client)
        assert status == 408
        assert b"connection: close" in head.lower()
        assert client.recv(1) == b""
    assert server.connect().recv(1) == b"", "who has asked for nothing is told nothing"
    until(lambda: "too slow" in server.log.read_text(), "a line in the log")


def test_who_sends_a_byte_now_and_then_gains_no_time(serve: Callable[..., Server]) -> None:
    server = serve(HEAD_SECONDS=0.5)
    client = server.connect(HALF_HEAD)

    def is_closed() -> bool:
        try:
            client.sendall(b"a")
        except ConnectionError:
            return True
        return False

    until(is_closed, "the end of the connection")


def test_a_client_that_does_not_take_its_answer_holds_no_thread(serve: Callable[..., Server]) -> None:
    server = serve(SEND_SECONDS=2.0, MAX_UNSENT=20_000_000)
    ask = b"GET /big/9000000/ HTTP/1.1\r\nHost: localhost\r\n\r\n"  # more than the system itself takes
    greedy = [server.connect(ask, receive_buffer=4096) for _ in range(5 * THREADS)]
    for _ in range(5):
        assert server.get() == 200
    late = greedy[0]
    until(lambda: "too slow" in server.log.read_text(), "a line in the log")
    assert len(read_all(late)) < 9_000_000


def test_a_client_that_closes_late_holds_up_nobody(serve: Callable[..., Server]) -> None:
    """gunicorn waits two seconds for each of them, in the thread that accepts connections."""
    server = serve(LINGER_SECONDS=600.0)
    for client in server.hold(30, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
        assert read_all(client).startswith(b"HTTP/1.1 200")
    assert server.get() == 200


def test_a_long_answer_arrives_whole(server: Server) -> None:
    size = 128 * 65536
    for path in (f"/stream/{size}/", f"/big/{size}/"):
        client = server.connect(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode(), receive_buffer=65536)
        assert read_all(client).partition(b"\r\n\r\n")[2] == b"x" * size


def test_held_requests_do_not_hold_up_a_stop(serve: Callable[..., Server]) -> None:
    server = serve(HEAD_SECONDS=600.0, BODY_SECONDS=600.0, SEND_SECONDS=600.0, MAX_UNSENT=20_000_000)
    server.hold(20, HALF_HEAD)
    server.hold(20, HALF_BODY)
    server.connect(b"GET /big/9000000/ HTTP/1.1\r\nHost: localhost\r\n\r\n", receive_buffer=4096)
    idle = server.connect(GET)
    assert read_answer(idle)[0] == 200
    server.process.terminate()
    assert server.process.wait(SECONDS) == 0
    assert "Traceback" not in server.log.read_text()
    assert "SIGKILL" not in server.log.read_text()


# Honest ones


def test_a_connection_is_used_again_and_requests_may_come_together_or_in_pieces(server: Server) -> None:
    client = server.connect()
    post = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
    chunked = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2;name=value\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    everything = GET + post + chunked + GET + post
    client.sendall(everything)
    sizes = [read_answer(client)[2].split()[0] for _ in range(5)]
    assert sizes == [b"0", b"5", b"5", b"0", b"5"]
    for number in range(len(everything)):
        client.sendall(everything[number : number + 1])
    assert [read_answer(client)[2].split()[0] for _ in range(5)] == sizes


def test_a_body_is_asked_for_once_where_the_client_waits_for_that(server: Server) -> None:
    client = server.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert read_answer(client)[:2] == (100, b"HTTP/1.1 100 Continue\r\n\r\n")
    client.sendall(b"hello")
    status, _head, body = read_answer(client)
    assert (status, body.split()[0]) == (200, b"5")
    for rest, expected in ((b"Content-Length: 999999", 413), (b"Content-Length: 0", 200)):
        client = server.connect(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + rest + b"\r\n\r\n")
        assert read_answer(client)[0] == expected, "nothing is asked for that would not be read"
    client = server.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: miracles\r\n\r\n")
    assert read_answer(client)[0] == 417


@pytest.mark.parametrize("path", ["/", "/unread/"])
@pytest.mark.parametrize("framing", ["length", "chunked", "one chunk"])
def test_a_body_that_is_too_long_is_refused_and_its_rest_is_no_request(server: Server, path: str, framing: str) -> None:
    body = GET * (2 * LIMIT // len(GET))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
    if framing == "length":
        sent = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        size = 1000 if framing == "chunked" else len(body)
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        sent = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
    answers = read_all(server.connect(sent))
    assert answers.startswith(b"HTTP/1.1 200" if path == "/unread/" and framing == "length" else b"HTTP/1.1 413")
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answers.lower()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n", 400),
        (b"GET /" + b"a" * (MAX_LINE + 100), 414),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEAD // 6 + 1), 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: wonders\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_at_once(server: Server, sent: bytes, status: int) -> None:
    assert read_all(server.connect(sent)).startswith(b"HTTP/1.1 %d " % status)
    assert "Traceback" not in server.log.read_text()


def test_another_parser_that_is_installed_reads_no_request(serve: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "gunicorn_h1c.py").write_text(
        "class LimitRequestLine(Exception): ...\ndef parse_request(*_, **__): 1 / 0\n"
    )
    server = serve()
    assert server.get() == 200


@pytest.mark.parametrize("argument", ["--certfile=x.pem", "--proxy-protocol=v1"])
def test_what_it_cannot_do_is_refused_in_one_line(tmp_path: Path, argument: str) -> None:
    (tmp_path / "x.pem").write_text("")
    (tmp_path / "conf.py").write_text(CONF.format(port=0))
    (tmp_path / "tiny.py").write_text(APP)
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "conf.py", argument, "tiny:app"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(b"kakaoauth: this server speaks plain HTTP/1.1: ")


# What a whole request is

WHOLE = [
    GET,
    b"\r\n" + GET,
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-LENGTH:5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nTransfer-Encoding:  CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 ;a=b\r\nhello\r\n00\r\nA: b\r\n\r\n",
]


@pytest.mark.parametrize("request_", WHOLE)
def test_a_request_is_whole_with_its_last_byte_and_not_before(request_: bytes) -> None:
    for step in (1, 2, 3, 7, len(request_)):
        incoming = Incoming(LIMIT)
        for at in range(0, len(request_), step):
            assert incoming.look() is Arrived.NOT_YET
            incoming.data += request_[at : at + step]
        assert incoming.look() is Arrived.WHOLE
        assert not incoming.is_cut
    with_more = Incoming(LIMIT, request_ + b"GET ")
    assert with_more.look() is Arrived.WHOLE


@pytest.mark.parametrize("over", [0, 1])
def test_a_body_may_be_as_long_as_the_site_reads(over: int) -> None:
    body = b"x" * (LIMIT + over)
    by_length = Incoming(LIMIT, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    by_chunks = Incoming(LIMIT, head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert by_length.look() is Arrived.WHOLE
    assert by_length.is_cut == bool(over), "the site refuses it by its length"
    assert by_chunks.look() is (Arrived.BODY_TOO_LONG if over else Arrived.WHOLE)
    tiny = Incoming(LIMIT, head + b"1;%b\r\nx\r\n" % (b"a" * 5000) * 40)
    assert tiny.look() is Arrived.BODY_TOO_LONG, "size lines are memory as well"


def pair() -> tuple[ClientSocket, socket.socket]:
    """Sockets in which what is sent at once arrives at once."""
    server, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.setblocking(False)
    return ClientSocket(server), client


def test_head_and_body_of_an_answer_go_together() -> None:
    sock, client = pair()
    with contextlib.closing(client):
        sock.begin()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        sock.sendall(b"body")
        assert client.recv(1000).endswith(b"\r\n\r\nbody")
        sock.begin()
        sock.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n")
        sock.send_head()
        assert client.recv(1000).startswith(b"HTTP/1.1 304 ")
        sock.release()


def test_the_head_of_a_stream_does_not_wait_for_it() -> None:
    sock, client = pair()
    with contextlib.closing(client):
        sock.begin()
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.recv(1000).endswith(b"chunked\r\n\r\n")
        sock.release()


def test_a_connection_that_waits_has_nothing_of_its_last_request() -> None:
    server, client = socket.socketpair()
    with contextlib.closing(client):
        conn = Connection(Config(), server, ("127.0.0.1", 1), ("127.0.0.1", 2), LIMIT)
        conn.incoming.data += GET + GET[:10]
        for _ in range(2):
            conn.hand_over()
            assert next(conn.parser).path == "/"
            conn.take_back()
            assert conn.parser.mesg is None
            conn.incoming.data += GET[10:]
        conn.sock.release()


def test_python_looks_for_garbage_rarely_and_not_in_the_code(server: Server) -> None:
    client = server.connect(b"GET /garbage/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    threshold, frozen = map(int, read_answer(client)[2].split())
    assert threshold == 10_000
    assert frozen > 1000


def test_a_setting_is_looked_up_once() -> None:
    asked = []

    class Config:
        def __getattr__(self, name: str) -> str:
            asked.append(name)
            return name.upper()

    settings = Settings(Config())
    assert [settings.threads, settings.bind, settings.threads] == ["THREADS", "BIND", "THREADS"]
    assert asked == ["threads", "bind"]


def test_a_page_that_exits_ends_no_thread(server: Server) -> None:
    for _ in range(THREADS + 1):
        assert read_all(server.connect(b"GET /exit/ HTTP/1.1\r\nHost: localhost\r\n\r\n")) == b""
    assert server.get() == 200


def test_requests_at_the_same_time_have_a_thread_each_and_others_the_same() -> None:
    together, done = threading.Barrier(2), threading.Semaphore(0)

    def serve(conn: Any) -> None:
        if conn == "one of two":
            together.wait(SECONDS)
        done.release()

    def started() -> int:
        return len(set(threading.enumerate()) - before)

    before = set(threading.enumerate())
    pool = Pool(2, serve)
    for batch, threads in ((["alone"], 1), (["alone"], 1), (["one of two"] * 2, 2), (["alone"] * 5, 2)):
        for conn in batch:
            pool.submit(conn)  # type: ignore[arg-type]
        for _ in batch:
            assert done.acquire(timeout=SECONDS)
            pool.answered()
        assert started() == threads
    pool.shutdown(wait=False)
    until(lambda: not started(), "the threads end")
