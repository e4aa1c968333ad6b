"""Settings, restarts, who may connect, and the server itself."""

import http.client
import json
import logging
import socket
import stat
from contextlib import closing
from dataclasses import replace
from http.server import ThreadingHTTPServer

import pytest
from support.sandbox import KEYS, SETTINGS, START, Sandbox, page_of, returned, running

from kakaoauth.sandbox import Clock, ConsentItem, bind, serve
from kakaoauth.sandbox.server import access_log
from kakaoauth.sandbox.signing.keys import KeyRing
from kakaoauth.sandbox.state.file import StateFileError


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"admin_key": ""},
        {"client_secret": ""},
        {"issuer": "http://127.0.0.1:8001/"},
        {"issuer": "127.0.0.1:8001"},
        {"consent_items": (ConsentItem("email"),)},
        {"consent_items": (ConsentItem("name"), ConsentItem("name"))},
        {"consent_items": (ConsentItem("profile"), ConsentItem("profile_nickname"))},
    ],
)
def test_nonsense_in_the_settings_is_refused(changes):
    with pytest.raises(ValueError):
        replace(SETTINGS, **changes)


def test_clock_moves():
    clock = Clock(lambda: START)
    clock.advance(10)
    assert clock.now() == START + 10
    assert abs(Clock().now() - 1.7e9) < 1e10


def test_everything_survives_a_restart(tmp_path):
    path = tmp_path / "new" / "sandbox.json"
    before = Sandbox(keyring=KeyRing(), state_file=path)
    tokens = before.tokens("bigid")
    before.browser.post(
        "/oauth/authorize/new-person", data={"request": _request(before), "nickname": "손수 만든 이", "big_id": "1"}
    )
    published = before.server.get("/.well-known/jwks.json").json
    made = list(before.state.people.values())[-1]

    after = Sandbox(keyring=KeyRing(), state_file=path)
    assert after.server.get("/.well-known/jwks.json").json == published
    assert after.state.people[made.key] == made
    assert after.call("GET", "/v2/user/me", tokens["access_token"]).json["id"] == 1376016924429759228
    assert after.refresh(tokens["refresh_token"]).status_code == 200
    after.browser.set_cookie("sandbox_session", before.browser.get_cookie("sandbox_session").value)
    assert page_of(after.authorize()) == "consent"


def _request(sandbox):
    return sandbox.authorize(prompt="login").text.split('name="request" value="')[1].split('"')[0]


def test_state_file_is_for_its_owner_and_leaves_no_drafts(tmp_path):
    path = tmp_path / "sandbox.json"
    Sandbox(state_file=path).tokens()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["sandbox.json"]


def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "sandbox.json"
    sandbox = Sandbox(state_file=path)
    sandbox.tokens()
    old = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            sandbox.state.unlink("haneul")
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 99}',
        '{"version": 1}',
        '{"version": 1, "session_secret": "x", "generation": "y", "people": [{}]}',
    ],
)
def test_damaged_state_file_is_named(tmp_path, content):
    path = tmp_path / "sandbox.json"
    path.write_text(content)
    with pytest.raises(StateFileError, match=r"sandbox\.json"):
        Sandbox(state_file=path)


def test_nothing_is_written_without_a_state_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Sandbox().tokens()
    assert not list(tmp_path.iterdir())


def test_old_tokens_are_swept(monkeypatch):
    monkeypatch.setattr("kakaoauth.sandbox.state.grants.SWEEP_EVERY", 1)
    sandbox = Sandbox()
    sandbox.tokens()
    sandbox.clock.advance(61 * 86400)
    sandbox.tokens("bigid", prompt="login")
    assert len(sandbox.state.grants.grants) == len(sandbox.state.grants.access_tokens) == 1


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "192.168.0.7:8001",
        "[::",
        "",
        "localhost,evil.example",
    ],
)
def test_foreign_host_name_is_refused(host):
    sandbox = Sandbox()
    for path in ("/", "/v2/user/me", "/.well-known/jwks.json", "/static/sandbox.css"):
        assert sandbox.server.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8001", "127.0.0.1:8001", "127.1.2.3", "[::1]:8001"])
def test_own_host_name_is_welcome(host):
    assert Sandbox().server.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("address", ["192.168.0.7", "10.0.0.1", "::ffff:192.168.0.7", "nonsense"])
def test_foreign_address_is_refused_whatever_it_claims(address):
    answer = Sandbox().server.get(
        "/", environ_overrides={"REMOTE_ADDR": address}, headers={"X-Forwarded-For": "127.0.0.1"}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "CF-Ray"]
)
def test_what_a_tunnel_has_forwarded_is_refused(name):
    for path in ("/", "/sandbox/", "/v2/user/me", "/.well-known/jwks.json"):
        answer = Sandbox().server.get(path, headers={"Host": "localhost", name: "127.0.0.1"})
        assert answer.status_code == 403
        assert "ssh -L" in answer.text


@pytest.fixture
def server():
    with bind(Sandbox().app, 0) as server, running(server):
        yield server


def connect(server):
    return closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5))


def test_server_listens_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"


def test_connection_stays_open_even_when_a_body_goes_unread(server):
    with connect(server) as connection:
        connection.connect()
        first = connection.sock
        for method, path, body in [
            ("GET", "/", None),
            ("POST", "/oauth/token", '{"unread": "json"}'),
            ("HEAD", "/", None),
            ("POST", "/nowhere", "x" * 1000),
            ("GET", "/", None),
        ]:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.version == 11
            assert int(answer.headers["Content-Length"]) >= len(content)
            assert connection.sock is first
    assert answer.status == 200


def test_foreign_host_is_refused_by_the_running_server(server):
    with connect(server) as connection:
        connection.request("GET", "/", headers={"Host": "evil.example"})
        assert connection.getresponse().status == 403


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_body_of_unknown_length_ends_the_connection(server, request_text):
    with socket.create_connection(server.server_address, timeout=5) as raw:
        raw.sendall(request_text)
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    assert answer.split()[1] in (b"400", b"413")


def test_taken_port_is_an_oserror(server):
    with pytest.raises(OSError):
        serve(SETTINGS, server.server_port)


def test_serve_logs_requests_and_ends_quietly_on_interrupt(monkeypatch, capsys):
    monkeypatch.setattr(access_log, "handlers", [])
    monkeypatch.setattr(access_log, "propagate", True)
    monkeypatch.setattr(access_log, "level", logging.NOTSET)

    def log_and_stop(server):
        access_log.info("GET / 200")
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", log_and_stop)
    serve(SETTINGS, 0)
    assert capsys.readouterr().err.endswith("GET / 200\n")


def test_log_names_no_query_no_code_and_no_control_character(server, caplog):
    caplog.set_level(logging.INFO)
    with connect(server) as connection:
        connection.request("GET", "/oauth/authorize?code=very-secret&state=hidden")
        connection.getresponse().read()
    with socket.create_connection(server.server_address, timeout=5) as raw:
        raw.sendall(b"GET /\x1b[31m?code=very-secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while raw.recv(65536):
            pass
    with socket.create_connection(server.server_address, timeout=5) as raw:
        raw.sendall(b"GET /?code=very-secret too many words here HTTP/1.1\r\n\r\n")
        while raw.recv(65536):
            pass
    assert "GET /oauth/authorize 400" in caplog.text
    assert "very-secret" not in caplog.text
    assert "hidden" not in caplog.text
    assert "\x1b" not in caplog.text


def test_walk_writes_no_secret_to_any_log(caplog):
    caplog.set_level(logging.DEBUG)
    sandbox = Sandbox()
    code = sandbox.log_in()
    tokens = sandbox.exchange(code).json
    sandbox.exchange(code)
    sandbox.call("GET", "/v2/user/me", tokens["access_token"])
    for secret in (code, SETTINGS.client_secret, SETTINGS.admin_key, *map(str, tokens.values())):
        if len(secret) > 12:
            assert secret not in caplog.text


def test_state_holds_no_more_than_the_file_says(tmp_path):
    path = tmp_path / "sandbox.json"
    sandbox = Sandbox(keyring=KeyRing(), state_file=path)
    sandbox.tokens()
    stored = json.loads(path.read_text())
    assert {link["person"] for link in stored["links"]} == {"haneul"}
    assert stored["people"] == []
    assert len(stored["keys"]) == 2


def test_keys_are_not_made_before_they_are_needed():
    ring = KeyRing()
    Sandbox(keyring=ring)
    assert ring.all() == []
    assert KEYS is not ring


def test_returned_code_reaches_only_the_registered_address():
    sandbox = Sandbox()
    assert len(returned(sandbox.enter(sandbox.authorize(), "under14"))) == 3
