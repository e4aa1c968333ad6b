"""A local imitation of the logins of Kakao, Facebook, Naver, Google and Apple, on nothing but Flask and joserfc."""

from kakaoauth.sandbox.app import create_sandbox
from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.server import bind, serve
from kakaoauth.sandbox.state.apple_settings import AppleSettings
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.sandbox.state.file import StateFileError
from kakaoauth.sandbox.state.google_settings import GoogleSettings
from kakaoauth.sandbox.state.naver_settings import NaverSettings
from kakaoauth.sandbox.state.settings import ConsentItem, SandboxSettings

__all__ = [
    "AppleSettings",
    "Clock",
    "ConsentItem",
    "FacebookSettings",
    "GoogleSettings",
    "NaverSettings",
    "SandboxSettings",
    "StateFileError",
    "bind",
    "create_sandbox",
    "serve",
]
