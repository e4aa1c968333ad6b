"""What the sandbox's tests share."""

from typing import Any

import pytest
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Any:
    """One sandbox for a file."""
    return kind_of(request)()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Any:
    """A sandbox as it is at its start, of the file's KIND; where it says IS_SHARED, the shared one after a reset."""
    if not getattr(request.module, "IS_SHARED", False):
        return kind_of(request)()
    shared: Sandbox = request.getfixturevalue("shared")
    shared.api("POST", "reset")
    shared.browser = shared.app.test_client()
    return shared


def kind_of(request: pytest.FixtureRequest) -> Any:
    return getattr(request.module, "KIND", Sandbox)
