"""Kakao login for Flask: the names that others import. Defines nothing.

A name is looked up when it is first asked for (PEP 562): importing the package loads nothing else, so its parts can be
used without the whole site.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kakaoauth import signals
    from kakaoauth.config.checks import ConfigError
    from kakaoauth.core import KakaoAuth
    from kakaoauth.errors import Refused
    from kakaoauth.models import Identity, User
    from kakaoauth.signals import (
        identity_linked,
        identity_unlinked,
        login_refused,
        user_closed,
        user_left,
        user_logged_in,
        user_logged_out,
        user_restored,
        user_signed_up,
    )
    from kakaoauth.site import create_app
    from kakaoauth.web.host_guards import (
        bearer_required,
        current_user,
        fresh_login_required,
        login_required,
        staff_required,
        superuser_required,
    )

__all__ = [
    "ConfigError",
    "Identity",
    "KakaoAuth",
    "Refused",
    "User",
    "bearer_required",
    "create_app",
    "current_user",
    "fresh_login_required",
    "identity_linked",
    "identity_unlinked",
    "login_refused",
    "login_required",
    "signals",
    "staff_required",
    "superuser_required",
    "user_closed",
    "user_left",
    "user_logged_in",
    "user_logged_out",
    "user_restored",
    "user_signed_up",
]

#: Module -> the names it defines.
_MODULES = {
    "kakaoauth.config.checks": ("ConfigError",),
    "kakaoauth.core": ("KakaoAuth",),
    "kakaoauth.errors": ("Refused",),
    "kakaoauth.models": ("Identity", "User"),
    "kakaoauth.signals": tuple(name for name in __all__ if name.startswith(("user_", "identity_", "login_refused"))),
    "kakaoauth.site": ("create_app",),
    "kakaoauth.web.host_guards": ("current_user", *(name for name in __all__ if name.endswith("_required"))),
}


def __getattr__(name: str) -> Any:
    if name == "signals":
        return importlib.import_module("kakaoauth.signals")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
