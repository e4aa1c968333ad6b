"""Which address of a picture is kept."""

from flask import current_app, has_app_context

from kakaoauth.config.embedded import sandbox_origin
from kakaoauth.text import clean_image


def own_picture(value: object, upgradable: str | None = None) -> str | None:
    """Return an https address, or one of the sandbox that serves this app; None for everything else.

    :param upgradable: domain whose http addresses are known to work by https.
    """
    return clean_image(value, upgradable, sandbox_origin(current_app.config) if has_app_context() else "")
