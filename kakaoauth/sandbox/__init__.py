"""A local imitation of Kakao's and Facebook's login servers: a Flask app that imports nothing else from here."""

from kakaoauth.sandbox.app import create_sandbox
from kakaoauth.sandbox.clock import Clock
from kakaoauth.sandbox.server import bind, serve
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.sandbox.state.file import StateFileError
from kakaoauth.sandbox.state.settings import ConsentItem, SandboxSettings

__all__ = [
    "Clock",
    "ConsentItem",
    "FacebookSettings",
    "SandboxSettings",
    "StateFileError",
    "bind",
    "create_sandbox",
    "serve",
]
