"""Read what Naver says of a person (https://developers.naver.com/docs/login/profile/profile.md).

Only the id is certain. Fields we do not know are passed over, and a wrong type counts as missing.
"""

import re
from datetime import datetime
from typing import Any

from kakaoauth.days import SEOUL
from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers.answers import Json
from kakaoauth.providers.pictures import own_picture
from kakaoauth.providers.values import EmailState, Profile
from kakaoauth.text import clean_text

PROVIDER = "naver"
#: At most 64 characters, like base64; numbers for applications made before 2021-05-01.
SUBJECT = re.compile(r"[A-Za-z0-9+/_.=-]{1,64}")
GENDERS = {"F": "female", "M": "male"}
_AGE_RANGE = re.compile(r"([0-9]{1,2})-([0-9]{1,2})?")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")


def read_profile(body: Json) -> Profile:
    """Read the answer of `/v1/nid/me`. :raises ProviderUnavailable: no usable id."""
    person = body.get("response")
    if not isinstance(person, dict):
        raise ProviderUnavailable("Naver: no profile")
    nickname = clean_text(person.get("nickname"))
    return Profile(
        provider=PROVIDER,
        subject=read_subject(person.get("id")),
        # The contact address, which people enter as they like: Naver does not say whether it is theirs
        email_state=EmailState.NOT_VOUCHED,
        name=clean_text(person.get("name")),
        # Who has set none is shown as the beginning of an id and three asterisks
        nickname=None if nickname and nickname.endswith("***") else nickname,
        profile_image=own_picture(person.get("profile_image")),
        age=_age(person.get("birthyear")),
        age_range=_age_range(person.get("age")),
        gender=GENDERS.get(str(person.get("gender"))),
        email_opens_waiting_account=False,
    )


def read_subject(value: object) -> str:
    """:raises ProviderUnavailable: not an id, so the answer cannot be believed."""
    if type(value) is int and value > 0:  # the number of an old application, without its quotation marks
        value = str(value)
    if isinstance(value, str) and SUBJECT.fullmatch(value):
        return value
    raise ProviderUnavailable("Naver: no usable id")


def _age(year: Any) -> int | None:
    if not isinstance(year, str) or not _YEAR.fullmatch(year):
        return None
    age = datetime.now(SEOUL).year - int(year)
    return age if age >= 0 else None


def _age_range(value: Any) -> str | None:
    """In Kakao's spelling: `20~29`, `60~`."""
    match = _AGE_RANGE.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}~{match[2] or ''}" if match else None
