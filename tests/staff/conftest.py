from collections.abc import Callable

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def sora(client_as: Callable[[str], FlaskClient]) -> FlaskClient:
    """A browser of somebody of the staff."""
    return client_as("sora")
