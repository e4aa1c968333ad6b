"""Kakao login for Flask: the names that others import. Defines nothing.

A name is looked up when it is first asked for (PEP 562): importing the package loads nothing else, so its parts can be
used without the whole site.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kakaoauth.site import create_app

__all__ = ["create_app"]

#: Name -> the module that defines it.
_MODULES = {"create_app": "kakaoauth.site"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
