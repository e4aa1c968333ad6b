"""Reading the form with which a developer makes a person of their own."""

import re
import secrets
from collections.abc import Collection, Mapping

from kakaoauth.sandbox.people.kakao import AGE_RANGES, DEFAULT_NICKNAME, Person

MOST_PEOPLE = 200
NICKNAME_LENGTH = 200
EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,189}")


class FormError(Exception):
    """The form can't be accepted; `field` names the reason."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def check_fields(values: Mapping[str, str]) -> None:
    """Check texts that have a shape; an empty one stands for none. :raise FormError:"""
    email, gender, age_range = (values.get(name, "") for name in ("email", "gender", "age_range"))
    checks = {
        "nickname": 0 < len(values.get("nickname", "")) <= NICKNAME_LENGTH,
        "email": not email or EMAIL.fullmatch(email) is not None,
        "birthyear": re.fullmatch(r"(?:(?:19|20)[0-9]{2})?", values.get("birthyear", "")) is not None,
        "birthday": re.fullmatch(r"(?:[01][0-9][0-3][0-9])?", values.get("birthday", "")) is not None,
        "gender": gender in ("", "female", "male"),
        "age_range": age_range in ("", *AGE_RANGES),
    }
    for field, passed in checks.items():
        if not passed:
            raise FormError(field)


def person_from_form(form: Mapping[str, str], taken_ids: Collection[int]) -> Person:
    """Build a person. :raise FormError: a field is missing or odd."""
    default_nickname = "default_nickname" in form
    nickname = DEFAULT_NICKNAME if default_nickname else form.get("nickname", "").strip()
    email = form.get("email", "").strip()
    check_fields(
        {
            "nickname": nickname,
            "email": email,
            "birthyear": form.get("birthyear", "").strip(),
            "gender": form.get("gender", ""),
            "age_range": form.get("age_range", ""),
        }
    )
    return Person(
        key=new_key(),
        user_id=new_id(taken_ids, big="big_id" in form),
        nickname=nickname,
        email=email or None,
        email_valid="email_valid" in form,
        email_verified="email_verified" in form,
        gender=form.get("gender") or None,
        age_range=form.get("age_range") or None,
        birthyear=form.get("birthyear", "").strip() or None,
        default_nickname=default_nickname,
        under_14="under_14" in form,
        made=True,
    )


def new_key() -> str:
    """Return a key that no sample person has."""
    return f"made-{secrets.token_hex(4)}"


def new_id(taken: Collection[int], *, big: bool) -> int:
    """Return a free user id, with `big` one of 19 digits."""
    # 2^53 is about 9.0e15; every 19-digit id lies above it, and below 2^63 as Kakao's Long demands
    low, span = (10**18, 8 * 10**18) if big else (4_000_000_000, 5_000_000_000)
    while (user_id := low + secrets.randbelow(span)) in taken:
        pass
    return user_id
