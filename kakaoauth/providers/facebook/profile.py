"""Read what Facebook says of a person (`/me`) and of a token (`/debug_token`).

Fields we do not know are passed over, and a wrong type counts as missing: Graph versions come and go.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

from kakaoauth.errors import ExpiredToken, ForeignAccessToken, InvalidAccessToken, ProviderUnavailable
from kakaoauth.providers.facebook.errors import EXPIRED
from kakaoauth.providers.pictures import own_picture
from kakaoauth.providers.values import EmailState, Profile
from kakaoauth.text import clean_text, normal_form

PROVIDER = "facebook"
#: What is asked of `/me`.
FIELDS = "id,name,email,picture.type(large){url,is_silhouette}"
#: A user id as text. The ids of one app have 17 digits today; leave room, never round.
SUBJECT = re.compile(r"[1-9][0-9]{0,39}")

Json = Mapping[str, Any]


def read_profile(body: Json) -> Profile:
    """Read `/me` (https://developers.facebook.com/docs/graph-api/reference/user).

    :raises ProviderUnavailable: no usable id.
    """
    email, email_state = _email(body.get("email"))
    return Profile(
        provider=PROVIDER,
        subject=read_subject(body.get("id")),
        email=email,
        email_state=email_state,
        name=clean_text(body.get("name")),
        profile_image=_picture(body.get("picture")),
        # Facebook's word is enough for an account of one's own. One that was made on the command line may have rights.
        email_opens_waiting_account=False,
    )


def read_subject(user_id: object) -> str:
    """:raises ProviderUnavailable: not an id, so the answer cannot be believed. Ids are texts; a number is none."""
    if isinstance(user_id, str) and SUBJECT.fullmatch(user_id):
        return user_id
    raise ProviderUnavailable("Facebook: no usable id")


def read_token_info(body: Json, app_id: str) -> str:
    """Return the user id that an access token of app `app_id` stands for.

    https://developers.facebook.com/docs/graph-api/reference/debug_token

    :raises ForeignAccessToken: another app's. :raises ExpiredToken: :raises InvalidAccessToken: withdrawn, or no
        person's: a page's or an app's. :raises ProviderUnavailable: no answer to that question.
    """
    data = body.get("data")
    if not isinstance(data, dict) or type(data.get("is_valid")) is not bool:
        raise ProviderUnavailable("debug_token: no usable data")
    if "app_id" in data and str(data["app_id"]) != app_id:
        raise ForeignAccessToken("debug_token: another app_id")
    if _is_over(data):
        raise ExpiredToken("debug_token: expired", provider_code=EXPIRED)
    if not data["is_valid"]:
        raise InvalidAccessToken("debug_token: not valid")
    if data.get("type") != "USER" or "app_id" not in data:
        raise InvalidAccessToken("debug_token: not a person's token")
    return read_subject(data.get("user_id"))


def _is_over(data: Json) -> bool:
    """`expires_at` is 0 for a token that never ends."""
    expires_at, error = data.get("expires_at"), data.get("error")
    if type(expires_at) is int and 0 < expires_at <= time.time():
        return True
    return isinstance(error, dict) and error.get("subcode") == int(EXPIRED.split("/")[1])


def _email(value: object) -> tuple[str | None, EmailState]:
    """Facebook sends an address only if its owner has confirmed it, and nothing at all otherwise: not shared, none
    there (people sign up with a phone number), not confirmed. Asking again helps the first of these."""
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        return None, EmailState.NOT_AGREED
    if normal_form(text) is None:
        return None, EmailState.UNUSABLE
    return text, EmailState.TRUSTED


def _picture(value: object) -> str | None:
    """Facebook has had no http addresses for years. A silhouette is what people without a picture get."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict) or data.get("is_silhouette") is True:
        return None
    return own_picture(data.get("url"))
