"""Kakao's two webhooks, as Kakao sends them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from flask import Flask
from joserfc import jwt
from werkzeug.test import TestResponse

from kakaoauth.sandbox.kakao.security_events import EVENTS
from support import CLIENT_ID, KAUTH, FakeKakao

ADMIN_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
APP_ID = 654321
UNLINK = "/webhooks/kakao/unlink/"
STATUS = "/webhooks/kakao/account-status/"
MINJI = "1000"


def unlink(app: Flask, user_id: str | None = MINJI, *, method: str = "POST", **changes: Any) -> TestResponse:
    """Send the unlink webhook as Kakao does; a value of None leaves a field out. `key`: the Authorization header."""
    key = changes.pop("key", f"KakaoAK {ADMIN_KEY}")
    fields = {"app_id": str(APP_ID), "user_id": user_id, "referrer_type": "UNLINK_FROM_APPS", **changes}
    sent = {name: value for name, value in fields.items() if value is not None}
    headers = {} if key is None else {"Authorization": key}
    if method == "GET":
        return app.test_client().get(UNLINK, query_string=sent, headers=headers)
    form = "application/x-www-form-urlencoded;charset=utf-8"
    return app.test_client().post(UNLINK, data=sent, headers=headers, content_type=form)


def claims(kind: str = "user-unlinked", subject: str = MINJI, **changes: Any) -> dict[str, Any]:
    """The claims of a SET; a value of None removes."""
    now = int(time.time())
    about = {"subject": {"subject_type": "iss-sub", "iss": KAUTH, "sub": subject}} | changes.pop("body", {})
    whole = {"iss": KAUTH, "aud": CLIENT_ID, "sub": subject, "app_id": str(APP_ID), "iat": now, "toe": now}
    whole |= {"txm": "6d0f3a", "jti": f"jti-{time.monotonic_ns()}"}
    whole |= {"events": {EVENTS.get(kind, f"https://schemas.openid.net/x/{kind}"): about}, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def signed(kakao: FakeKakao, content: dict[str, Any], **header: Any) -> str:
    head = {"alg": "RS256", "kid": "test-key-1", "typ": "secevent+jwt", **header}
    return jwt.encode(head, content, kakao.key, algorithms=["RS256"])


def post(app: Flask, token: str) -> TestResponse:
    return app.test_client().post(STATUS, data=token, content_type="application/secevent+jwt")


def tell(
    app: Flask, kakao: FakeKakao, kind: str = "user-unlinked", subject: str = MINJI, **changes: Any
) -> TestResponse:
    return post(app, signed(kakao, claims(kind, subject, **changes)))


def a_moment_later() -> Any:
    """A login that is begun in the second of an unlink is refused, to be safe."""
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=2))
