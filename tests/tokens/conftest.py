import pytest
from flask import Flask
from support import tokens_of

from kakaoauth.tokens.flows import TokenPair


@pytest.fixture
def pair(app: Flask, people: dict[str, int]) -> TokenPair:
    """Minji's tokens."""
    return tokens_of(app, people["minji"])
