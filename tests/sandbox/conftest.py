"""What the sandbox's tests share."""

import pytest
from support.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox of one's own, as it is at its start."""
    return Sandbox()
