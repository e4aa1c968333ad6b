"""Settings as a host writes them: what cannot be meant is one line at start."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from kakaoauth import ConfigError, KakaoAuth


def start(redis_url: str, folder: Path, **settings: Any) -> Flask:
    app = Flask("shop", instance_path=str(folder))
    app.config.update(SECRET_KEY="x" * 40, REDIS_URL=redis_url, KAKAO_CLIENT_ID="k" * 32, DATABASE_URL="sqlite://")
    app.config.update(settings)
    KakaoAuth(app)
    return app


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"KAKAOAUTH_EMAIL_REQIURED": False}, "KAKAOAUTH_EMAIL_REQIURED is no setting of kakaoauth: KAKAOAUTH_EMAIL_R"),
        ({"GOOGLE_CLIENT_ID": "g"}, "GOOGLE_CLIENT_ID is set but GOOGLE_CLIENT_SECRET is not: "),
        ({"GOOGLE_CLIENT_SECRET": "g"}, "GOOGLE_CLIENT_SECRET is set but GOOGLE_CLIENT_ID is not: "),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL cannot be used: "),
        ({"DATABASE_URL": "oracle://db/shop"}, "DATABASE_URL cannot be used: "),
        ({"KAKAO_APP_ID": "abc"}, "KAKAO_APP_ID must be a number"),
        ({"KAKAO_DEADLINE_SECONDS": 3}, "KAKAO_DEADLINE_SECONDS is called PROVIDER_DEADLINE_SECONDS now: "),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_one_line(redis_url: str, tmp_path: Path, settings: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        start(redis_url, tmp_path, **settings)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_settings_of_another_provider_are_read_as_the_sites(redis_url: str, tmp_path: Path) -> None:
    google = {
        "GOOGLE_CLIENT_ID": "g",
        "GOOGLE_CLIENT_SECRET": "s",
        "GOOGLE_ACCOUNTS_URL": "https://accounts.google.com/",
    }
    assert start(redis_url, tmp_path, **google).config["GOOGLE_ACCOUNTS_URL"] == "https://accounts.google.com"


def test_settings_from_the_environment_are_read_as_their_types(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "FLASK_KAKAOAUTH_EMAIL_REQUIRED": "false",
        "FLASK_KAKAOAUTH_SESSION_IDLE_SECONDS": "900",
        "FLASK_KAKAOAUTH_SESSION_KEEP": "cart,coupon",
        "FLASK_KAKAO_CLIENT_SECRET": "12345678901234567890123456789012",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    app = Flask("environment")
    app.config.from_prefixed_env()
    read = {name.removeprefix("FLASK_"): app.config[name.removeprefix("FLASK_")] for name in given}
    config = start(redis_url, tmp_path, **read).config
    assert [config[name] for name in read] == [False, 900, ("cart", "coupon"), given["FLASK_KAKAO_CLIENT_SECRET"]]
