"""The state file: one JSON document, replaced whole so that a crash never leaves half of one."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

VERSION = 1


class StateFileError(Exception):
    """The state file is there but cannot be used."""


def load(path: Path) -> dict[str, Any] | None:
    """Return the stored state, or None when there is none yet.

    :raise StateFileError: the file is damaged or of another version.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateFileError(f"{path} can't be read ({error}); delete it to start afresh") from error
    if not isinstance(stored, dict) or stored.get("version") != VERSION:
        raise StateFileError(f"{path} was not written by this version; delete it to start afresh")
    return stored


def save(path: Path, content: dict[str, Any]) -> None:
    """Replace the file. No fsync: play data need not survive a power cut, and every login saves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp opens with mode 0600: private keys and tokens are for their owner only
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": VERSION, **content}, file, ensure_ascii=False)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
