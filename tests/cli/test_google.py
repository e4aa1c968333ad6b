"""`google register-events`: one call to Google, signed with a service account's key."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
from click.testing import Result
from flask import Flask
from joserfc import jwt
from joserfc.jwk import RSAKey

ADDRESS = "https://risc.googleapis.com/v1beta/stream:update"
RECEIVER = "https://login.example.kr/webhooks/google/events/"
EMAIL = "risc@project.iam.gserviceaccount.com"
SETTINGS = {"GOOGLE_CLIENT_ID": "1-x.apps.googleusercontent.com", "GOOGLE_CLIENT_SECRET": "canary-google-secret"}


@pytest.fixture
def key_file(tmp_path: Path, kakao_key: RSAKey) -> Path:
    file = tmp_path / "key.json"
    pem = kakao_key.as_pem(private=True).decode()
    file.write_text(json.dumps({"client_email": EMAIL, "private_key_id": "kid1", "private_key": pem}))
    return file


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(**SETTINGS)


def register(app: Flask, file: Path, url: str = RECEIVER) -> Result:
    return app.test_cli_runner().invoke(args=["google", "register-events", str(file), "--url", url])


def test_stream_is_registered(app: Flask, key_file: Path, kakao_key: RSAKey) -> None:
    with requests_mock.Mocker() as mock:
        mock.post(ADDRESS, json={})
        result = register(app, key_file)
        (call,) = mock.request_history
    assert result.exit_code == 0, result.output
    sent: dict[str, Any] = call.json()
    assert sent["delivery"]["url"] == RECEIVER
    assert "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked" in sent["events_requested"]
    token = jwt.decode(call.headers["Authorization"].removeprefix("Bearer "), kakao_key, algorithms=["RS256"])
    assert token.header["kid"] == "kid1"
    assert (token.claims["iss"], token.claims["sub"]) == (EMAIL, EMAIL)
    assert token.claims["aud"].endswith("google.identity.risc.v1beta.RiscManagementService")
    assert token.claims["exp"] - token.claims["iat"] == 3600
    assert abs(token.claims["iat"] - time.time()) < 60


@pytest.mark.parametrize(("status", "words"), [(403, "roles/riscconfigs.admin"), (404, "OAuth client"), (500, "later")])
def test_refusal_says_what_to_do(app: Flask, key_file: Path, status: int, words: str) -> None:
    with requests_mock.Mocker() as mock:
        mock.post(ADDRESS, status_code=status, json={"error": {"message": "canary-google-text"}})
        result = register(app, key_file)
    assert result.exit_code == 1
    assert words in result.output
    assert "canary" not in result.output


def test_what_cannot_work_is_told_at_once(app: Flask, make_app: Callable[..., Flask], key_file: Path) -> None:
    with requests_mock.Mocker() as mock:
        mock.post(ADDRESS, exc=requests.exceptions.ConnectTimeout)
        assert "try again later" in register(app, key_file).output
        calls = mock.call_count
        assert "--url is" in register(app, key_file, "http://login.example.kr/webhooks/google/events/").output
        odd = key_file.with_name("odd.json")
        odd.write_text('{"private_key": "canary"}')
        assert "not the JSON file" in register(app, odd).output
        assert "Google is not configured" in register(make_app(), key_file).output
        assert mock.call_count == calls
