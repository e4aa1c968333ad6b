"""Read what Kakao says of a person: `/v2/user/me`'s answer and the id_token's claims.

Every field of `kakao_account` may be missing, also after consent
(https://developers.kakao.com/docs/ko/kakaologin/rest-api#req-user-info). A wrong type counts as missing.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any
from urllib.parse import unquote

from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers.pictures import own_picture
from kakaoauth.providers.values import EmailState, Profile, TokenSet
from kakaoauth.text import clean_text, normal_form

PROVIDER = "kakao"
#: A user id as text. Ids are 64-bit today; leave room, never round.
SUBJECT = re.compile(r"[1-9][0-9]{0,39}")
#: Kakao's picture servers; their addresses are http unless `secure_resource` asks otherwise, and work by https.
PICTURES = "kakaocdn.net"
#: What Kakao calls people whose nickname broke its rules ("please register a nickname").
DEFAULT_NICKNAME = "닉네임을 등록해주세요"
_DEFAULT_PICTURE = "account_images/default_profile"
#: Documented values; Kakao's SDKs write the first one `0~9`.
AGE_RANGES = frozenset(
    ("0~9", "1~9", "10~14", "15~19", "20~29", "30~39", "40~49", "50~59", "60~69", "70~79", "80~89", "90~")
)
GENDERS = frozenset(("female", "male"))
_YEAR = re.compile(r"[0-9]{4}")

Json = Mapping[str, Any]


def read_profile(body: Json, today: date, tokens: TokenSet | None = None) -> Profile:
    """Read `/v2/user/me`.

    :param today: in Korea. :param tokens: those of the login that asks. :raises ProviderUnavailable: no usable id.
    """
    subject = read_subject(body.get("id"))
    account = _mapping(body.get("kakao_account"))
    profile = _mapping(account.get("profile"))
    properties = _mapping(body.get("properties"))
    email, email_state = read_email(account)
    return Profile(
        provider=PROVIDER,
        subject=subject,
        email=email,
        email_state=email_state,
        name=clean_text(_agreed(account, "name")),
        nickname=_nickname(account, profile, properties),
        profile_image=_picture(account, profile, properties),
        age=_age(_agreed(account, "birthyear"), today),
        age_range=_one_of(_agreed(account, "age_range"), AGE_RANGES),
        gender=_one_of(_agreed(account, "gender"), GENDERS),
        tokens=tokens,
    )


def read_claims(claims: Json) -> Profile:
    """Read a validated id_token: Kakao puts an `email` there only if it is valid and verified."""
    email, state = _usable(claims.get("email"))
    if "email" not in claims:
        state = EmailState.NOT_CONFIGURED
    return Profile(
        provider=PROVIDER,
        subject=claims["sub"],
        email=email,
        email_state=state,
        nickname=_own_nickname(claims.get("nickname")),
        profile_image=_own_picture(claims.get("picture")),
        auth_time=_auth_time(claims),
    )


def fill_gaps(profile: Profile, other: Profile) -> Profile:
    """Take from `other` what `profile` does not say. An e-mail only where nothing at all was said of it."""
    missing = {
        field.name: getattr(other, field.name) for field in fields(Profile) if getattr(profile, field.name) is None
    }
    missing.pop("email", None)
    if profile.email_state is EmailState.NOT_CONFIGURED:
        missing.update(email=other.email, email_state=other.email_state)
    return replace(profile, **missing)


def read_subject(user_id: object) -> str:
    """:raises ProviderUnavailable: not an id, so Kakao's answer cannot be believed."""
    text = str(user_id) if type(user_id) is int and 0 < user_id < 10**40 else user_id
    if isinstance(text, str) and SUBJECT.fullmatch(text):
        return text
    raise ProviderUnavailable("user/me: no usable id")


def read_email(account: Json) -> tuple[str | None, EmailState]:
    """Return the e-mail if it may be trusted, and why not otherwise. Missing flags are not trust."""
    if account.get("email_needs_agreement") is True:
        return None, EmailState.NOT_AGREED
    if not any(key in account for key in ("email", "email_needs_agreement", "is_email_valid", "is_email_verified")):
        return None, EmailState.NOT_CONFIGURED
    email, state = _usable(account.get("email"))
    if state is EmailState.ABSENT:
        return None, state
    if account.get("is_email_valid") is False:
        return None, EmailState.EXPIRED
    if account.get("is_email_valid") is not True or account.get("is_email_verified") is not True:
        return None, EmailState.UNVERIFIED
    return email, state


def _auth_time(claims: Json) -> int | None:
    """What is no number of seconds is no proof: long ago."""
    if "auth_time" not in claims:
        return None
    moment: object = claims["auth_time"]
    return moment if type(moment) is int else 0


def _usable(value: object) -> tuple[str | None, EmailState]:
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        return None, EmailState.ABSENT
    if normal_form(text) is None:  # Masked addresses (`ab***@`) included.
        return None, EmailState.UNUSABLE
    return text, EmailState.TRUSTED


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _agreed(account: Json, item: str) -> object:
    """A value counts only while the person agrees to share it, even if Kakao should send it all the same."""
    return None if account.get(f"{item}_needs_agreement") is True else account.get(item)


def _may_read(account: Json, item: str) -> bool:
    """Apps from before June 2021 have one consent item for both parts of the profile."""
    return account.get(f"{item}_needs_agreement") is not True and account.get("profile_needs_agreement") is not True


def _nickname(account: Json, profile: Json, properties: Json) -> str | None:
    if profile.get("is_default_nickname") is True or not _may_read(account, "profile_nickname"):
        return None
    return _own_nickname(profile.get("nickname")) or _own_nickname(properties.get("nickname"))


def _own_nickname(value: object) -> str | None:
    text = clean_text(value)
    return None if text == DEFAULT_NICKNAME else text


def _picture(account: Json, profile: Json, properties: Json) -> str | None:
    if profile.get("is_default_image") is True or not _may_read(account, "profile_image"):
        return None
    candidates = (
        profile.get("profile_image_url"),
        profile.get("thumbnail_image_url"),
        properties.get("profile_image"),
        properties.get("thumbnail_image"),
    )
    return next((picture for picture in map(_own_picture, candidates) if picture), None)


def _own_picture(value: object) -> str | None:
    address = own_picture(value, PICTURES)
    return None if address is None or _DEFAULT_PICTURE in unquote(address) else address


def _age(birthyear: object, today: date) -> int | None:
    """Years by the calendar: the birthday is not asked for."""
    if not isinstance(birthyear, str) or not _YEAR.fullmatch(birthyear):
        return None
    return today.year - int(birthyear) if 1900 <= int(birthyear) <= today.year else None


def _one_of(value: object, allowed: frozenset[str]) -> str | None:
    text = value.lower() if isinstance(value, str) else ""
    return text if text in allowed else None
