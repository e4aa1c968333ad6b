"""What /v2/user/me tells: (items the app configured) x (consents given) x (data the account has)."""

import hashlib
from collections.abc import Callable
from typing import Any

from kakaoauth.sandbox.clock import utc_text
from kakaoauth.sandbox.people.kakao import Person
from kakaoauth.sandbox.people.pictures import DEFAULT, picture_of
from kakaoauth.sandbox.state.model import Link
from kakaoauth.sandbox.state.settings import SandboxSettings

DEFAULT_PICTURES = tuple(
    f"http://img1.kakaocdn.net/thumb/R{size}x{size}.q70/?fname=http://t1.kakaocdn.net/account_images/default_profile.jpeg"
    for size in (110, 640)
)

# Item -> name in front of _needs_agreement, where it differs from the item's id
PREFIXES = {"account_email": "email", "account_ci": "ci"}
PROFILE_ITEMS = frozenset({"profile", "profile_nickname", "profile_image"})

VALUES: dict[str, Callable[[Person], dict[str, Any]]] = {
    "account_email": lambda person: (
        {}
        if person.email is None
        else {"is_email_valid": person.email_valid, "is_email_verified": person.email_verified, "email": person.email}
    ),
    "name": lambda person: {"name": person.name},
    "age_range": lambda person: {"age_range": person.age_range},
    "birthyear": lambda person: {"birthyear": person.birthyear},
    "birthday": lambda person: (
        {}
        if person.birthday is None
        else {"birthday": person.birthday, "birthday_type": "SOLAR", "is_leap_month": False}
    ),
    "gender": lambda person: {"gender": person.gender},
    "phone_number": lambda person: {"phone_number": person.phone_number},
    "account_ci": lambda person: {},
}
NEVER_HAD_FLAG = frozenset({"name", "account_ci"})  # has_... is older than these


def picture_urls(person_key: str, own: bool, settings: SandboxSettings) -> tuple[str, str]:
    """Return (thumbnail, picture), both http."""
    if settings.own_pictures is not None:
        address = f"{settings.own_pictures}/{picture_of(person_key) if own else DEFAULT}"
        return address, address
    if not own:
        return DEFAULT_PICTURES[0], DEFAULT_PICTURES[1]
    base = settings.picture_base
    digest = hashlib.sha256(person_key.encode()).hexdigest()
    folder = f"{base}/{digest[:5]}/btsSandbox{digest[5:8]}/{digest[8:30]}"
    return f"{folder}/img_110x110.jpg", f"{folder}/img_640x640.jpg"


def user_me(
    person: Person, link: Link, settings: SandboxSettings, *, secure: bool, keys: list[str] | None = None
) -> dict[str, Any]:
    """Build the answer; `keys` are the wanted property_keys, None for all."""
    body: dict[str, Any] = {"id": link.user_id}
    if link.signed_up is not None:
        body["has_signed_up"] = link.signed_up
    body["connected_at"] = utc_text(link.connected_at)
    profile = _profile(person, link, settings, secure=secure)
    properties = _legacy_properties(profile) if settings.legacy_fields and link.signed_up is not False else {}
    properties = {
        name: value for name, value in properties.items() if _is_wanted(keys, "properties.", f"properties.{name}")
    }
    account = _account(person, link, settings, profile, keys)
    if properties:
        body["properties"] = properties
    if account:
        body["kakao_account"] = account
    return body


def _account(
    person: Person, link: Link, settings: SandboxSettings, profile: dict[str, Any], keys: list[str] | None
) -> dict[str, Any]:
    account: dict[str, Any] = {}
    for item in settings.consent_items:
        name = "profile" if item.id in PROFILE_ITEMS else PREFIXES.get(item.id, item.id)
        if not _is_wanted(keys, "kakao_account.", f"kakao_account.{name}"):
            continue
        if item.id in PROFILE_ITEMS:
            account[f"{item.id}_needs_agreement"] = item.id not in link.agreed
            if profile:
                account["profile"] = profile
        elif item.id in VALUES and (item.id == "account_email" or link.signed_up is not False):
            account |= _fields(item.id, name, person, item.id in link.agreed, settings.legacy_fields)
    return account


def _fields(item_id: str, name: str, person: Person, agreed: bool, legacy: bool) -> dict[str, Any]:
    """Return one item's part: the flag alone without consent; flag and what there is with it."""
    values = {field: value for field, value in VALUES[item_id](person).items() if value is not None}
    fields: dict[str, Any] = {}
    if legacy and item_id not in NEVER_HAD_FLAG:
        fields[f"has_{name}"] = bool(values)
    fields[f"{name}_needs_agreement"] = not agreed
    return fields | (values if agreed else {})


def _profile(person: Person, link: Link, settings: SandboxSettings, *, secure: bool) -> dict[str, Any]:
    given = {item.id for item in settings.consent_items} & set(link.agreed)
    nickname, image = given & {"profile", "profile_nickname"}, given & {"profile", "profile_image"}
    profile: dict[str, Any] = {"nickname": person.nickname} if nickname else {}
    if image:
        thumbnail, picture = picture_urls(person.key, person.picture, settings)
        if secure and settings.own_pictures is None:  # the sandbox itself has no https
            thumbnail, picture = (url.replace("http://", "https://") for url in (thumbnail, picture))
        profile |= {
            "thumbnail_image_url": thumbnail,
            "profile_image_url": picture,
            "is_default_image": not person.picture,
        }
    if nickname:
        profile["is_default_nickname"] = person.default_nickname
    return profile


def _legacy_properties(profile: dict[str, Any]) -> dict[str, Any]:
    old_names = {"nickname": "nickname", "profile_image": "profile_image_url", "thumbnail_image": "thumbnail_image_url"}
    return {old: profile[new] for old, new in old_names.items() if new in profile}


def _is_wanted(keys: list[str] | None, whole: str, one: str) -> bool:
    return keys is None or whole in keys or one in keys
