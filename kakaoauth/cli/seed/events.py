"""Make up the last rows of the audit trail for made-up users: their last logins."""

import json
from random import Random

from sqlalchemy import insert, select

from kakaoauth.audit import AuditEvent
from kakaoauth.models import User
from kakaoauth.storage.database import db

#: A few pages of the trail.
EVENTS = 200
#: Addresses for examples (RFC 5737).
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; SM-S931N) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-A546S) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 "
    "Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Safari/605.1.15",
)


def make_events(first: int, *, random_seed: int) -> None:
    """Write down the last logins of those with a number from `first` on. Inside the running transaction."""
    random = Random(random_seed)  # noqa: S311
    of_them = select(User.id, User.provider, User.last_login, User.date_joined).where(User.id >= first)
    latest = of_them.where(User.last_login.is_not(None), User.provider.is_not(None)).order_by(User.last_login.desc())
    rows = [
        {
            "at": person.last_login,
            "action": "login",
            "result": "done",
            "actor_id": person.id,
            "target_id": person.id,
            "provider": person.provider,
            "source": f"{random.choice(NETWORKS)}.{random.randrange(1, 255)}",
            "agent": random.choice(AGENTS),
            "details": json.dumps({"new": person.last_login == person.date_joined}),
        }
        for person in reversed(db.session.execute(latest.limit(EVENTS)).all())
    ]
    if rows:
        db.session.execute(insert(AuditEvent), rows)
