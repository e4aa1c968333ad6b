from collections.abc import Callable

import pytest
from flask import Flask
from support import FakeKakao
from support.facebook import SETTINGS, FakeFacebook
from support.webhooks import ADMIN_KEY, APP_ID


@pytest.fixture
def site_with_facebook(make_app: Callable[..., Flask], database_url: str, kakao: FakeKakao) -> Flask:
    """On both databases, told by Kakao and Facebook of what happens to people."""
    FakeFacebook(kakao.mock)
    return make_app(DATABASE_URL=database_url, KAKAO_ADMIN_KEY=ADMIN_KEY, KAKAO_APP_ID=APP_ID, **SETTINGS)
