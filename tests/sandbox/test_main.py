"""`python -m kakaoauth.sandbox`: the command line by itself."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from support.ports import free_port
from support.sandbox import SETTINGS

from kakaoauth.config import embedded
from kakaoauth.sandbox.__main__ import settings_from

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_are_the_app_of_this_site() -> None:
    settings, port = settings_from([])
    assert port == 8001
    assert settings.client_id == embedded.SANDBOX_CLIENT_ID
    assert settings.client_secret == embedded.SANDBOX_CLIENT_SECRET
    assert (settings.admin_key, settings.app_id) == (embedded.SANDBOX_ADMIN_KEY, embedded.SANDBOX_APP_ID)
    assert settings.facebook.client_id == embedded.SANDBOX_FACEBOOK_CLIENT_ID
    assert settings.facebook.client_secret == embedded.SANDBOX_FACEBOOK_CLIENT_SECRET
    assert not settings.strict


def test_every_option_is_a_setting(tmp_path: Path) -> None:
    settings, port = settings_from(
        [
            *("--port", "9001", "--strict", "--no-client-secret", "--no-oidc", "--client-id", SETTINGS.client_id),
            *("--redirect-uri", "http://localhost:3000/a", "--redirect-uri", "http://localhost:3000/b"),
            *("--unlink-webhook-url", "http://localhost:3000/hook", "--state-file", str(tmp_path / "state.json")),
            *("--apple-redirect-uri", "http://localhost:3000/apple"),
        ]
    )
    assert (port, settings.issuer) == (9001, "http://127.0.0.1:9001")
    assert (settings.strict, settings.client_secret, settings.oidc) == (True, None, False)
    assert settings.redirect_uris == ("http://localhost:3000/a", "http://localhost:3000/b")
    assert settings.unlink_webhook_url == "http://localhost:3000/hook"
    assert settings.apple.redirect_uris == ("http://localhost:3000/apple",)
    assert settings.state_file == tmp_path / "state.json"


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--unlink-webhook-url", "http://example.com/"], ["--client-id", ""], ["--nothing"]),
        *(["--port", "x"], ["--port", "65536"], ["--port=-1"]),
    ],
)
def test_senseless_command_line_is_refused_with_its_reason(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        settings_from(arguments)
    assert re.search(r"error: .{10}", capsys.readouterr().err)


def test_serves_until_ended_and_names_a_taken_port() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        command = [sys.executable, "-m", "kakaoauth.sandbox", "--port", str(port), "--strict"]
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, f"port {port} cannot be used" in refused.stderr) == (1, True)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        assert process.stdout is not None
        assert str(port).encode() in process.stdout.readline()
        console = requests.get(f"http://127.0.0.1:{port}/sandbox/api/console", timeout=30)
        assert console.json()["strict"] is True
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
