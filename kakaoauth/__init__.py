"""Kakao login for Flask: the names that others import. Defines nothing.

A name is looked up when it is first asked for (PEP 562): importing the package loads nothing else, so its parts can be
used without the whole site.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kakaoauth import signals
    from kakaoauth.core import KakaoAuth
    from kakaoauth.models import User
    from kakaoauth.site import create_app

__all__ = ["KakaoAuth", "User", "create_app", "signals"]

#: Name -> the module that defines it.
_MODULES = {"KakaoAuth": "kakaoauth.core", "User": "kakaoauth.models", "create_app": "kakaoauth.site"}


def __getattr__(name: str) -> Any:
    if name == "signals":
        return importlib.import_module("kakaoauth.signals")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
