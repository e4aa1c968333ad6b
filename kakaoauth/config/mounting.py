"""Where our pages are in the app: below a URL prefix, under one blueprint."""

from flask import current_app

#: The blueprint that holds all of ours; their endpoints begin with it.
BLUEPRINT = "kakaoauth"


def url_prefix() -> str:
    """Return what our paths begin with, like `/auth`; empty on the reference site. Without WSGI's script name."""
    prefix: str = current_app.config["KAKAOAUTH_URL_PREFIX"]
    return prefix
