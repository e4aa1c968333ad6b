"""What /me tells of a person: (fields that were asked for) x (permissions granted) x (data the account has)."""

import hashlib
from typing import Any

from kakaoauth.sandbox.facebook.errors import GraphError
from kakaoauth.sandbox.facebook.fields import Field
from kakaoauth.sandbox.people.facebook import FacebookPerson
from kakaoauth.sandbox.people.pictures import DEFAULT, picture_of

# Fields of a User that this app may ask for in vain: they need permissions that it can't have
SILENT = frozenset(
    {"about", "age_range", "birthday", "friends", "gender", "hometown", "link", "location", "middle_name", "photos"}
)
SIZES = {"small": 50, "normal": 100, "album": 50, "large": 200, "square": 50}
LARGEST = 2048
PICTURE_SECONDS = 30 * 86400


def user_answer(
    person: FacebookPerson, scopes: list[str], fields: list[Field], now: float, pictures: str | None = None
) -> dict[str, Any]:
    """Return the named fields in their order, the id at the latest at the end. :raise GraphError: an unknown field.

    :param pictures: where the sandbox's own are; None for addresses like Facebook's.
    """
    values: dict[str, Any] = {
        "id": person.user_id,
        "name": person.name,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "short_name": person.first_name,
        "email": person.email if "email" in scopes else None,
    }
    answer: dict[str, Any] = {}
    for field in fields:
        if field.name == "picture":
            answer["picture"] = {"data": _picture(person, field, now, pictures)}
        elif field.name in values:
            answer |= {field.name: values[field.name]} if values[field.name] is not None else {}
        elif field.name not in SILENT:
            raise no_field(field.name, "User")
    return answer | {"id": person.user_id}


def page_answer(page_id: str, fields: list[Field]) -> dict[str, Any]:
    """A page is no person: it has no first name and no e-mail."""
    values = {"id": page_id, "name": "A page of the sandbox"}
    for field in fields:
        if field.name not in {*values, "picture"}:
            raise no_field(field.name, "Page")
    return {field.name: values[field.name] for field in fields if field.name in values} | {"id": page_id}


def no_field(name: str, node: str) -> GraphError:
    """Return Graph's error for a field that a node does not have."""
    return GraphError(100, f"(#100) Tried accessing nonexisting field ({name}) on node type ({node})")


def _picture(person: FacebookPerson, field: Field, now: float, pictures: str | None) -> dict[str, Any]:
    size = SIZES.get(field.modifiers.get("type", "square"), 50)
    wide, high = (_pixels(field.modifiers.get(name), size) for name in ("width", "height"))
    digest = hashlib.sha256(f"{person.key} {person.picture}".encode()).hexdigest()
    query = f"asid={person.user_id}&height={high}&width={wide}&ext={int(now) + PICTURE_SECONDS}&hash=AeT{digest[:13]}"
    own = f"{pictures}/{picture_of(person.key) if person.picture else DEFAULT}"
    values = {
        "height": high,
        "is_silhouette": not person.picture,
        "url": f"{own if pictures else 'https://platform-lookaside.fbsbx.com/platform/profilepic/'}?{query}",
        "width": wide,
    }
    names = [inner.name for inner in field.inner]
    for name in names:
        if name not in {*values, "cache_key"}:
            raise no_field(name, "ProfilePictureSource")
    return {name: value for name, value in values.items() if not names or name in names}


def _pixels(text: str | None, default: int) -> int:
    return min(int(text), LARGEST) if text and text.isdecimal() and len(text) < 6 and int(text) else default
