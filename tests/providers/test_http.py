"""The line to a provider against a real server: what it costs, what it bounds, what it refuses."""

import gc
import gzip
import logging
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import requests_mock as rm
from flask.config import Config
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from support.bad_server import Server, always
from support.bad_server import http as answer
from support.ports import free_port
from support.stopwatch import Stopwatch

from kakaoauth.errors import ProviderBusy, ProviderUnavailable
from kakaoauth.providers import adapter, connections, http
from kakaoauth.providers.deadline import DeadlinePassed, deadline, time_left
from kakaoauth.providers.http import Session, Transport, quiet_loggers, read_json

OK = answer(b'{"fine": true}')
SHORT = {"seconds": 0.3, "read_seconds": 0.2}


@pytest.fixture
def make_line() -> Iterator[Callable[..., Transport]]:
    lines = []

    def make(**limits: Any) -> Transport:
        usual = {"seconds": 3.0, "connect_seconds": 2.0, "read_seconds": 2.0, "max_calls": 2}
        lines.append(Transport(**{**usual, **limits}))
        return lines[-1]

    yield make
    for line in lines:
        line.adapter.shut()


@pytest.fixture
def line(make_line: Callable[..., Transport]) -> Transport:
    return make_line()


def get(line: Transport, url: str, **kwargs: Any) -> requests.Response:
    with Session(transport=line) as session:
        response: requests.Response = session.get(url, withhold_token=True, **kwargs)
        return response


def post(line: Transport, url: str, **kwargs: Any) -> requests.Response:
    with Session(transport=line) as session:
        response: requests.Response = session.post(url, data={"code": "canary"}, withhold_token=True, **kwargs)
        return response


def seconds_until_refused(line: Transport, url: str) -> float:
    begun = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        get(line, url)
    return time.monotonic() - begun


class TestConnections:
    @pytest.fixture(params=[{}, {"verify": DEFAULT_CA_BUNDLE_PATH}], ids=["direct", "by urllib3"])
    def how(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        """A call with certificates of its own is left to urllib3, like one through a proxy."""
        said: dict[str, Any] = request.param
        return said

    def test_ten_calls_by_ten_sessions_share_one_connection(self, line: Transport, how: dict[str, Any]) -> None:
        with always(OK) as server:
            for _ in range(5):
                assert read_json(get(line, server.url, **how)) == {"fine": True}
                assert read_json(post(line, server.url, **how)) == {"fine": True}
            assert server.connections == 1
            assert len(server.requests) == 10

    def test_head_and_body_are_sent_at_once(self, line: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[bytes] = []
        send = HTTPConnection.send

        def note(connection: HTTPConnection, data: bytes) -> None:
            sent.append(data)
            send(connection, data)

        monkeypatch.setattr(HTTPConnection, "send", note)
        with always(OK) as server:
            post(line, server.url)
            post(line, server.url)
        assert [whole[-15:] for whole in sent] == [b"\r\n\r\ncode=canary"] * 2

    def test_chunked_answers_keep_the_connection_too(self, line: Transport) -> None:
        chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n'
        with always(chunked) as server:
            assert [read_json(get(line, server.url)) for _ in range(3)] == [{"a": 1}] * 3
            assert server.connections == 1

    def test_connection_that_was_idle_for_long_is_not_trusted(
        self, line: Transport, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with always(OK) as server:
            get(line, server.url, **how)
            monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
            post(line, server.url, **how)
            assert server.connections == 2

    def test_shut_line_has_no_connection_left(self, line: Transport) -> None:
        with always(OK) as server:
            get(line, server.url)
            line.adapter.shut()
            get(line, server.url)
            assert server.connections == 2

    def test_line_that_nobody_has_any_more_leaves_no_connection_open(self) -> None:
        closed = threading.Event()

        def answer_and_wait(sock: socket.socket, _request: bytes, _number: int) -> bool:
            sock.sendall(OK)
            sock.settimeout(3)
            if not sock.recv(1):
                closed.set()
            return False

        with Server(answer_and_wait) as server:
            line = Transport(seconds=3, connect_seconds=2, read_seconds=2, max_calls=2)
            get(line, server.url)
            with warnings.catch_warnings(action="error"):
                del line
                gc.collect()
            assert closed.wait(3)

    def test_get_on_a_stale_connection_is_repeated_once(self, line: Transport, how: dict[str, Any]) -> None:
        with Server(all_but_the_second) as server:
            get(line, server.url, **how)
            assert read_json(get(line, server.url, **how)) == {"fine": True}
            assert (server.connections, len(server.requests)) == (2, 3)

    def test_get_is_not_repeated_twice(self, line: Transport) -> None:
        with Server(lambda *_: False) as server:
            with pytest.raises(ProviderUnavailable):
                get(line, server.url)
            assert len(server.requests) == 2

    def test_token_call_is_never_repeated(self, line: Transport, how: dict[str, Any]) -> None:
        with Server(all_but_the_second) as server:
            get(line, server.url, **how)
            with pytest.raises(ProviderUnavailable):
                post(line, server.url, **how)
            assert len(server.requests) == 2

    @pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK\r\nConnection: close"])
    def test_connection_that_the_server_closes_is_not_kept(self, line: Transport, head: bytes) -> None:
        def close(sock: socket.socket, _request: bytes, _number: int) -> bool:
            sock.sendall(head + b'\r\n\r\n{"fine": true}')
            return False

        with Server(close) as server:
            for _ in range(2):
                assert read_json(post(line, server.url)) == {"fine": True}
            assert server.connections == 2

    def test_calls_at_once_have_connections_of_their_own(self, line: Transport) -> None:
        def call_back(sock: socket.socket, _request: bytes, number: int) -> None:
            if number == 1:
                run_elsewhere(lambda: get(line, server.url))
            sock.sendall(OK)

        with Server(call_back) as server:
            for _ in range(2):
                get(line, server.url)
            assert server.connections == 2

    def test_urllib3_makes_calls_to_more_hosts_than_a_provider_has(self, line: Transport) -> None:
        def call(server: Server) -> int:
            assert read_json(get(line, server.url)) == {"fine": True}
            return len(line.adapter.poolmanager.pools)

        with ExitStack() as stack:
            servers = [stack.enter_context(always(OK)) for _ in range(adapter.HOSTS + 1)]
            assert [call(server) for server in [*servers, *servers]] == [
                *[0] * adapter.HOSTS,
                *[1] * (adapter.HOSTS + 2),
            ]

    def test_line_break_in_a_header_is_not_sent(self, line: Transport) -> None:
        with always(OK) as server, pytest.raises(ProviderUnavailable):
            get(line, server.url, headers={"Accept": "x\r\nAuthorization: canary"})
        assert server.requests == []

    def test_silence_is_not_repeated(self, make_line: Callable[..., Transport]) -> None:
        with Server(lambda *_: None) as server:
            assert seconds_until_refused(make_line(read_seconds=0.2), server.url) < 2
            assert len(server.requests) == 1

    def test_refused_connection_is_unavailable(self, line: Transport) -> None:
        assert seconds_until_refused(line, f"http://127.0.0.1:{free_port()}") < 2


class TestDeadline:
    def test_dripping_header_ends_with_the_deadline(self, make_line: Callable[..., Transport]) -> None:
        with Server(lambda sock, *_: server.drip(sock, OK)) as server:
            assert 0.2 < seconds_until_refused(make_line(**SHORT), server.url) < 2

    def test_dripping_body_ends_with_the_deadline(self, make_line: Callable[..., Transport]) -> None:
        head, _, body = answer(b'{"a": "' + b"x" * 60 + b'"}').partition(b"\r\n\r\n")

        def drip_body(sock: socket.socket, _request: bytes, _number: int) -> None:
            sock.sendall(head + b"\r\n\r\n")
            server.drip(sock, body)

        with Server(drip_body) as server:
            assert 0.2 < seconds_until_refused(make_line(**SHORT), server.url) < 2

    def test_dripping_chunks_end_with_the_deadline(self, make_line: Callable[..., Transport]) -> None:
        def drip_chunks(sock: socket.socket, _request: bytes, _number: int) -> None:
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            server.drip(sock, b"1\r\n \r\n" * 20)

        with Server(drip_chunks) as server:
            assert 0.2 < seconds_until_refused(make_line(**SHORT), server.url) < 2

    def test_one_deadline_for_all_calls_of_a_conversation(self, make_line: Callable[..., Transport]) -> None:
        def slow(sock: socket.socket, _request: bytes, _number: int) -> None:
            if not server.stopped.wait(0.2):
                sock.sendall(OK)

        line = make_line(seconds=0.5)
        with Server(slow) as server:
            watch = Stopwatch()
            with pytest.raises(ProviderUnavailable):
                call_often(line, server.url, 5)
            assert watch.seconds() < 2
            assert 2 <= len(server.requests) <= 3

    def test_silent_tls_server_ends_with_the_connect_limit(self, make_line: Callable[..., Transport]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}"
            assert 0.2 < seconds_until_refused(make_line(connect_seconds=0.3), url) < 2

    def test_tls_gets_only_the_time_that_connecting_has_left(
        self, make_line: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = silent.getsockname()
            slow = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]
            done = threading.Event()
            monkeypatch.setattr(socket, "getaddrinfo", hanging_resolver(done, [], seconds=1.5, answer=slow))
            watch = Stopwatch()
            seconds_until_refused(make_line(seconds=9, connect_seconds=2), f"https://kakao.invalid:{address[1]}")
            assert 1.5 < watch.seconds() < 3, "and not two seconds more"

    def test_hanging_resolver_ends_with_the_connect_limit(
        self, make_line: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", hanging_resolver(done, []))
        assert 0.2 < seconds_until_refused(make_line(connect_seconds=0.3), "http://kakao.invalid") < 2
        done.set()

    def test_look_ups_nobody_waits_for_are_bounded(
        self, make_line: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = threading.Event()
        looked_up: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", hanging_resolver(done, looked_up))
        monkeypatch.setattr(connections, "LOOKUPS", threading.BoundedSemaphore(1))
        line = make_line(connect_seconds=0.1)
        for _ in range(3):
            seconds_until_refused(line, "http://kakao.invalid")
        assert looked_up == ["kakao.invalid"]
        done.set()
        assert connections.LOOKUPS.acquire(timeout=2)

    def test_unknown_name_is_unavailable(self, line: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        seconds_until_refused(line, "http://kakao.invalid")

    def test_name_is_looked_up(self, line: Transport) -> None:
        with always(OK) as server:
            assert read_json(get(line, server.url.replace("127.0.0.1", "localhost"))) == {"fine": True}

    def test_address_that_refuses_does_not_hide_the_next_one(
        self, line: Transport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusing = ("127.0.0.1", free_port())
        with always(OK) as server:
            host, port = server.url.removeprefix("http://").split(":")
            families = (socket.AF_INET, -5, socket.AF_INET)  # -5: one this machine does not speak
            targets = (refusing, refusing, (host, int(port)))
            found = [(family, socket.SOCK_STREAM, 6, "", to) for family, to in zip(families, targets, strict=True)]
            monkeypatch.setattr(connections, "resolve", lambda *_: found)
            assert read_json(get(line, "http://kakao.invalid")) == {"fine": True}

    def test_address_that_swallows_packets_leaves_time_for_the_next_one(
        self, make_line: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as full, socket.socket() as filler, always(OK) as server:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            filler.connect(full.getsockname())  # From now on nobody's handshake is answered.
            host, port = server.url.removeprefix("http://").split(":")
            targets = (full.getsockname(), (host, int(port)))
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", to) for to in targets]
            monkeypatch.setattr(connections, "resolve", lambda *_: found)
            line = make_line(connect_seconds=0.4)
            assert read_json(get(line, "http://kakao.invalid")) == {"fine": True}

    def test_connection_that_cannot_be_made_is_not_tried_twice(
        self, line: Transport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[str] = []

        def fail(host: str, *_: Any) -> None:
            tried.append(host)
            raise TimeoutError

        monkeypatch.setattr(connections, "resolve", fail)
        seconds_until_refused(line, "http://kakao.invalid")
        assert tried == ["kakao.invalid"]

    def test_no_address_is_unavailable(self, line: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "resolve", lambda *_: [])
        seconds_until_refused(line, "http://kakao.invalid")

    def test_slow_look_up_leaves_no_time_to_connect(
        self, make_line: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def slow(*_: Any) -> list[Any]:
            time.sleep(0.15)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

        monkeypatch.setattr(connections, "resolve", slow)
        with always(OK) as server:
            seconds_until_refused(make_line(connect_seconds=0.1), "http://kakao.invalid")
            assert server.connections == 0

    def test_earlier_deadline_counts(self) -> None:
        with deadline(10), deadline(60):
            assert time_left(99) <= 10
        with deadline(60), deadline(10):
            assert time_left(99) <= 10
        assert time_left(99) == 99

    def test_passed_deadline_is_an_error(self) -> None:
        with deadline(0), pytest.raises(DeadlinePassed):
            time_left(1)

    def test_passed_deadline_ends_a_conversation_between_its_calls_too(
        self, make_line: Callable[..., Transport]
    ) -> None:
        with pytest.raises(ProviderUnavailable), make_line(seconds=0).conversation():
            time_left(1)


class TestBusy:
    @pytest.fixture(autouse=True)
    def soon_slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "SLOW_SECONDS", 0.3)

    def test_call_beyond_the_limit_fails_fast(self, make_line: Callable[..., Transport]) -> None:
        line = make_line(max_calls=1)
        arrived, go_on = threading.Event(), threading.Event()

        def wait(sock: socket.socket, _request: bytes, _number: int) -> None:
            arrived.set()
            go_on.wait(3)
            sock.sendall(OK)

        with Server(wait) as server:
            first = threading.Thread(target=get, args=(line, server.url))
            first.start()
            assert arrived.wait(3)
            watch = Stopwatch()
            with pytest.raises(ProviderBusy):
                get(line, server.url)
            assert watch.seconds() < 2
            assert len(server.requests) == 1
            go_on.set()
            first.join()
            assert read_json(get(line, server.url)) == {"fine": True}

    def test_conversation_inside_a_conversation_needs_no_second_place(
        self, make_line: Callable[..., Transport]
    ) -> None:
        line = make_line(max_calls=1)
        with always(OK) as server, line.conversation():
            assert read_json(get(line, server.url)) == {"fine": True}

    def test_lines_do_not_stand_in_each_others_way(self, make_line: Callable[..., Transport]) -> None:
        one, two = make_line(max_calls=1), make_line(max_calls=1)
        with always(OK) as server, one.conversation(), two.conversation():
            assert read_json(get(two, server.url)) == {"fine": True}
            with pytest.raises(ProviderBusy):
                run_elsewhere(lambda: get(two, server.url))

    def test_failed_call_gives_its_place_back(self, make_line: Callable[..., Transport]) -> None:
        line = make_line(max_calls=1)
        with Server(lambda *_: False) as server:
            for _ in range(3):
                with pytest.raises(ProviderUnavailable) as caught:
                    post(line, server.url)
                assert not isinstance(caught.value, ProviderBusy)


class TestAnswers:
    def test_redirect_is_not_followed(self, line: Transport) -> None:
        with always(OK) as elsewhere:
            for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
                moved = answer(b"{}", f"Location: {elsewhere.url}/steal", status=status)
                with always(moved) as server:
                    for call in (get, post):
                        with pytest.raises(ProviderUnavailable):
                            read_json(call(line, server.url))
                    with pytest.raises(ProviderUnavailable):
                        read_json(get(line, server.url, allow_redirects=True))
            assert elsewhere.connections == 0

    def test_first_of_two_headers_counts(self, line: Transport) -> None:
        with always(answer(b"{}", "Retry-After: 1", "retry-after: 2", "Retry-After: 3")) as server:
            assert get(line, server.url).headers["Retry-After"] == "1"

    def test_huge_answer_is_cut_off(self, line: Transport) -> None:
        sent = []

        def pour(sock: socket.socket, _request: bytes, _number: int) -> None:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            for _ in range(500):
                sock.sendall(b" " * 100_000)
                sent.append(100_000)

        with Server(pour) as server, pytest.raises(ProviderUnavailable, match="too long"):
            get(line, server.url)
        assert sum(sent) < 20_000_000

    def test_answer_of_exactly_the_limit_is_read(self, line: Transport) -> None:
        body = b'{"a": "' + b"x" * (http.MAX_BYTES - 9) + b'"}'
        with always(answer(body)) as server:
            assert len(get(line, server.url).content) == http.MAX_BYTES
        with always(answer(body + b" ")) as server, pytest.raises(ProviderUnavailable):
            get(line, server.url)

    def test_gzip_bomb_is_cut_off(self, line: Transport) -> None:
        bomb = gzip.compress(b" " * 50_000_000)
        assert len(bomb) < 100_000
        with (
            always(answer(bomb, "Content-Encoding: gzip")) as server,
            pytest.raises(ProviderUnavailable, match="too long"),
        ):
            get(line, server.url)

    def test_cookie_is_not_kept_for_the_next_call(self, line: Transport) -> None:
        prepared_by_requests = {"json": {}, "verify": DEFAULT_CA_BUNDLE_PATH}
        with always(answer(b"{}", "Set-Cookie: who=mallory; Path=/")) as server, Session(transport=line) as session:
            for _ in range(2):
                session.post(server.url, withhold_token=True, **prepared_by_requests)
        assert b"mallory" not in server.requests[1]

    def test_honest_gzip_is_read(self, line: Transport) -> None:
        with always(answer(gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip")) as server:
            assert read_json(get(line, server.url)) == {"a": 1}

    def test_broken_gzip_is_unavailable(self, line: Transport) -> None:
        with always(answer(b"no gzip", "Content-Encoding: gzip")) as server, pytest.raises(ProviderUnavailable):
            get(line, server.url)

    def test_cut_connection_is_unavailable(self, line: Transport) -> None:
        def cut(sock: socket.socket, _request: bytes, _number: int) -> bool:
            sock.sendall(OK[:-5])
            return False

        with Server(cut) as server, pytest.raises(ProviderUnavailable):
            post(line, server.url)

    def test_something_else_than_http_is_unavailable(self, line: Transport) -> None:
        with always(b"220 mail.test ESMTP\r\n") as server, pytest.raises(ProviderUnavailable):
            get(line, server.url)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>maintenance</html>",
            b"\xff\xfe{",
            b'{"a": "\xc3\x28"}',
            b"[]",
            b"null",
            b'"text"',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"a": 1}{"b": 2}',
            b'{"id": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_nonsense_is_unavailable(self, line: Transport, body: bytes) -> None:
        with always(answer(body)) as server, pytest.raises(ProviderUnavailable):
            read_json(get(line, server.url))
        with rm.Mocker() as mock:
            mock.get("https://kauth.kakao.com/", content=body)
            with pytest.raises(ProviderUnavailable):
                read_json(get(line, "https://kauth.kakao.com/"))

    def test_json_that_says_it_is_a_page_is_unavailable(self, line: Transport) -> None:
        with rm.Mocker() as mock:
            mock.get("https://kauth.kakao.com/", text="{}", headers={"Content-Type": "text/html"})
            with pytest.raises(ProviderUnavailable):
                read_json(get(line, "https://kauth.kakao.com/"))

    def test_huge_mocked_answer_is_cut_off_too(self, line: Transport) -> None:
        with rm.Mocker() as mock:
            mock.get("https://kauth.kakao.com/", content=b" " * (http.MAX_BYTES + 1))
            with pytest.raises(ProviderUnavailable, match="too long"):
                get(line, "https://kauth.kakao.com/")

    def test_failure_says_nothing_of_what_was_sent(self, line: Transport) -> None:
        with rm.Mocker() as mock:
            mock.get(rm.ANY, exc=requests.ConnectionError("canary in the text"))
            with pytest.raises(ProviderUnavailable) as caught:
                get(line, "https://kauth.kakao.com/?code=canary")
        assert "canary" not in str(caught.value)
        assert caught.value.__suppress_context__


class TestTexts:
    """What logins send, past requests' preparation."""

    def test_form_and_query_arrive_as_they_were(self, line: Transport) -> None:
        texts = {"code": "a&b=c%d e+f", "name": "닉네임"}
        with always(OK) as server, Session(transport=line, token={"access_token": "canary"}) as session:
            session.ask("POST", server.url, {}, form=texts)
            for query in ("", "?of=us"):
                session.ask("GET", server.url + "/me" + query, {"Accept": "any"}, params=texts)
        heads, bodies = zip(*(sent.decode().split("\r\n\r\n") for sent in server.requests), strict=True)
        paths = [head.split(" ")[1] for head in heads]
        assert dict(parse_qsl(bodies[0])) == texts
        assert f"Content-Length: {len(bodies[0])}\r\n" in f"{heads[0]}\r\n"
        assert paths[0] == "/"
        assert [dict(parse_qsl(urlsplit(path).query)) for path in paths[1:]] == [texts, {"of": "us"} | texts]
        assert "\r\nAccept: any" in heads[1]
        assert "canary" not in str(server.requests)

    def test_line_break_in_a_header_is_not_sent(self, line: Transport) -> None:
        with always(OK) as server, Session(transport=line) as session, pytest.raises(ProviderUnavailable):
            session.ask("GET", server.url, {"Authorization": "Bearer x\r\nAccept: canary"})
        assert server.requests == []


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def _hostile(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login mallory password canary\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        with always(answer(b'{"proxied": true}')) as self.proxy:
            for name in ("HTTP_PROXY", "http_proxy"):
                monkeypatch.setenv(name, self.proxy.url)
            yield

    def test_proxy_of_the_environment_is_ignored(self, line: Transport) -> None:
        with always(OK) as server:
            assert read_json(get(line, server.url)) == {"fine": True}
            with Session(transport=line) as session:
                assert read_json(session.ask("GET", server.url, {})) == {"fine": True}
        assert self.proxy.connections == 0

    def test_proxy_of_the_environment_is_used_where_the_operator_says_so(
        self, make_line: Callable[..., Transport]
    ) -> None:
        line = make_line(proxy_from_env=True)
        for _ in range(2):
            assert read_json(get(line, "http://kakao.invalid/")) == {"proxied": True}
        with Session(transport=line) as session:
            assert read_json(session.ask("GET", "http://kakao.invalid/", {})) == {"proxied": True}
        assert self.proxy.connections == 1
        for manager in line.adapter.proxy_manager.values():
            manager.clear()

    @pytest.mark.parametrize("from_env", [False, True])
    def test_password_of_the_environment_is_never_sent(
        self, make_line: Callable[..., Transport], from_env: bool
    ) -> None:
        line = make_line(proxy_from_env=from_env)
        with always(OK) as server:
            get(line, server.url)
        requests_seen = b"".join(server.requests + self.proxy.requests)
        assert requests_seen
        assert b"authorization" not in requests_seen.lower()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", f"{path}.key", "-out", f"{path}"], check=True, capture_output=True)
    return path


class TestTLS:
    @pytest.fixture
    def server(self, certificate: Path) -> Iterator[Server]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, f"{certificate}.key")
        with Server(lambda sock, *_: sock.sendall(OK), tls=context) as server:
            yield server

    def test_unknown_certificate_is_unavailable(self, line: Transport, server: Server) -> None:
        with pytest.raises(ProviderUnavailable, match="SSLError"):
            post(line, server.url)
        assert server.requests == []

    def test_machine_decides_whom_to_trust(
        self, line: Transport, server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        connections.tls_context.cache_clear()
        try:
            assert [read_json(get(line, server.url)) for _ in range(3)] == [{"fine": True}] * 3
        finally:
            connections.tls_context.cache_clear()
        assert server.connections == 1

    def test_dripping_over_tls_ends_with_the_deadline(
        self, make_line: Callable[..., Transport], certificate: Path, server: Server
    ) -> None:
        server.answer = lambda sock, *_: server.drip(sock, OK)
        begun = time.monotonic()
        with pytest.raises(ProviderUnavailable):
            get(make_line(**SHORT), server.url, verify=str(certificate))
        assert 0.2 < time.monotonic() - begun < 2
        assert len(server.requests) == 1

    def test_bundle_of_one_call_is_respected(self, line: Transport, server: Server, certificate: Path) -> None:
        assert read_json(get(line, server.url, verify=str(certificate))) == {"fine": True}


def test_libraries_are_too_quiet_to_tell_secrets(caplog: pytest.LogCaptureFixture) -> None:
    loggers = [logging.getLogger(name) for name in ("authlib", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    quiet_loggers()
    try:
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("authlib.integrations.base_client.sync_app").debug("canary")
            logging.getLogger("urllib3.connectionpool").warning("canary")
        assert "canary" not in caplog.text
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(max(level, logging.INFO))


def all_but_the_second(sock: socket.socket, _request: bytes, number: int) -> bool:
    if number == 2:
        return False
    sock.sendall(OK)
    return True


def call_often(line: Transport, url: str, times: int) -> None:
    with line.conversation():
        for _ in range(times):
            get(line, url)


def hanging_resolver(
    done: threading.Event, looked_up: list[str], *, seconds: float = 5, answer: Any = None
) -> Callable[..., Any]:
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any) -> Any:
        if host == "kakao.invalid" and socket.AI_NUMERICHOST not in rest:
            looked_up.append(host)
            done.wait(seconds)
            if answer is not None:
                return answer
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real(host, *rest)

    return resolve


def run_elsewhere_in(line: Transport, depth: int) -> None:
    """Hold places in ever more threads."""
    with line.conversation():
        run_elsewhere(lambda: run_elsewhere_in(line, depth - 1) if depth else None)


def run_elsewhere(call: Callable[[], object]) -> None:
    """In another thread, which holds no place of this one's."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def test_settings_become_limits() -> None:
    given = {
        "DEADLINE_SECONDS": 1.5,
        "CONNECT_SECONDS": 0.5,
        "READ_SECONDS": 0.7,
        "MAX_CALLS": 3,
        "PROXY_FROM_ENV": True,
    }
    line = http.transport_for(Config("", {f"PROVIDER_{name}": value for name, value in given.items()}))
    assert (line.seconds, line.connect_seconds, line.read_seconds) == (1.5, 0.5, 0.7)
    assert line.proxy_from_env
    with line.conversation(), pytest.raises(ProviderBusy):
        run_elsewhere(lambda: run_elsewhere_in(line, 2))


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("GET", {}),
        ("GET", {"params": {"secure_resource": "true", "이름": "a b&c"}, "headers": {"Authorization": "Bearer x"}}),
        ("POST", {"data": {"code": "a+b/c=", "target_id": "1"}, "headers": {"Accept": "application/json"}}),
        ("POST", {"data": {"code": "x"}, "params": {"a": "b"}}),
        ("POST", {}),
    ],
)
def test_what_is_sent_is_what_requests_would_send(line: Transport, method: str, parts: dict[str, Any]) -> None:
    address = "https://KAPI.kakao.com/v2/user/me"
    with Session(transport=line) as session, requests.Session() as plain, rm.Mocker() as mock:
        mock.register_uri(rm.ANY, rm.ANY, text="{}")
        session.request(method, address, withhold_token=True, **parts)
        plain.request(method, address, **parts)
        ours, theirs = (one._request for one in mock.request_history)
    assert (ours.method, ours.url, ours.body or None) == (theirs.method, theirs.url, theirs.body)
    assert dict(ours.headers) == dict(theirs.headers)
