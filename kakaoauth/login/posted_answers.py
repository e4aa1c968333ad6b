"""A provider's answer that comes as a form from the provider's page (OAuth 2.0 Form Post Response Mode).

A POST from another site carries no SameSite=Lax cookie, so who began the login is not known yet. The answer is kept
here, and the browser goes on by a GET of this site, which carries it. What the address of that GET holds is a name for
the kept answer, no code.

Beside the code Apple's form holds the person's name, once and never again. If that login fails, the name waits in the
browser's session for the next one.
"""

import json
import secrets
import time
from collections.abc import Mapping

from flask import current_app, session

from kakaoauth.providers.values import PENDING_SECONDS
from kakaoauth.storage import encryption
from kakaoauth.storage.redis import get_redis, named

#: As long as a login may take: for the back button and the reload.
SECONDS = PENDING_SECONDS
PARAMETER = "answer"
_PREFIX = "posted_answer:"
#: Seconds that what was said once waits for another try.
SAID_SECONDS = 1800


def keep(provider: str, fields: Mapping[str, str]) -> str:
    """Keep the fields, encrypted: a code and perhaps a name are among them. Return their name.

    :raises RedisError:
    """
    name = secrets.token_urlsafe(32)
    content = encryption.encrypt(json.dumps({"provider": provider, "fields": dict(fields)}))
    get_redis(current_app).set(named(f"{_PREFIX}{name}"), content, ex=SECONDS)
    return name


def find(provider: str, name: str) -> dict[str, str] | None:
    """Return the fields; None if they are not kept any more, or another provider's. :raises RedisError:"""
    raw = get_redis(current_app).get(named(f"{_PREFIX}{name}"))
    if not isinstance(raw, bytes | str):
        return None
    text = encryption.decrypt(raw.decode() if isinstance(raw, bytes) else raw)
    kept = json.loads(text) if text else {}
    return kept["fields"] if kept.get("provider") == provider else None


def keep_said(provider: str, said: str) -> None:
    """Keep what a failed login brought beside its code, encrypted, in this browser's session."""
    session[f"_said_{provider}"] = f"{int(time.time())}.{encryption.encrypt(said)}"


def said_before(provider: str) -> str:
    """Return what a failed login of this browser brought, and forget it; empty if there is nothing."""
    moment, _, content = str(session.pop(f"_said_{provider}", "")).partition(".")
    is_fresh = moment.isdecimal() and 0 <= time.time() - int(moment[:12]) < SAID_SECONDS
    return (encryption.decrypt(content) or "") if is_fresh else ""
