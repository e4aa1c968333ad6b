"""Pictures of the sandbox on this machine: kept and shown where it serves the site, and nowhere else."""

from collections.abc import Callable

import pytest
from flask import Flask

from kakaoauth.providers.kakao.profile import read_claims
from kakaoauth.providers.pictures import own_picture

SANDBOX = "http://127.0.0.1:8765"
FOX = f"{SANDBOX}/sandbox/pictures/fox-1.svg"


@pytest.fixture
def embedding(make_app: Callable[..., Flask]) -> Flask:
    """A site that the sandbox serves."""
    return make_app(KAKAO_CLIENT_ID="", KAKAO_CLIENT_SECRET="", SANDBOX_PORT=8765)


def images(app: Flask) -> list[str]:
    policy = app.test_client().get("/").headers["Content-Security-Policy"]
    return next(part.split()[1:] for part in policy.split("; ") if part.startswith("img-src "))


def test_site_of_the_sandbox_keeps_and_shows_its_pictures(embedding: Flask) -> None:
    with embedding.app_context():
        assert own_picture(FOX) == FOX
        assert own_picture("https://k.kakaocdn.net/a.jpg") == "https://k.kakaocdn.net/a.jpg"
        default = f"{SANDBOX}/sandbox/pictures/account_images/default_profile.svg"
        assert read_claims({"sub": "1", "picture": default}).profile_image is None
        assert read_claims({"sub": "1", "picture": FOX}).profile_image == FOX
    assert images(embedding) == ["'self'", "https:", SANDBOX]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:87650/sandbox/pictures/fox-1.svg",
        "http://127.0.0.1:8765@evil.example/fox-1.svg",
        "http://127.0.0.1/fox-1.svg",
        "http://192.168.0.1:8765/fox-1.svg",
        f'{SANDBOX}/"onload="x',
        SANDBOX,
    ],
)
def test_nothing_else_without_https_is_kept(embedding: Flask, address: str) -> None:
    with embedding.app_context():
        assert own_picture(address) is None


def test_site_of_the_real_kakao_keeps_none_of_them(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    with app.app_context():
        assert own_picture(FOX) is None
    assert images(app) == ["'self'", "https:"]
