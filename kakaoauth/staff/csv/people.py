"""From a line's cells to somebody who could become a user, or to what is wrong with each cell."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

from kakaoauth.config import terms
from kakaoauth.errors import PROVIDER_LABELS
from kakaoauth.providers.oidc import SUBJECT
from kakaoauth.providers.pictures import own_picture
from kakaoauth.staff.csv import cells
from kakaoauth.staff.csv.reasons import Why
from kakaoauth.storage.columns import now
from kakaoauth.text import MAX_TEXT, clean_text, normal_form

#: Not a number that a spreadsheet has rounded.
WRITTEN = re.compile(r"(?![0-9.]+E\+[0-9]+$)[A-Za-z0-9._~+/=%-]{1,765}")
AGE_RANGE = re.compile(r"[0-9]{1,3}~[0-9]{0,3}")
GENDERS = ("female", "male")
OLDEST = 150
#: What else stands for it in Korean files, in lower case.
GENDER_WORDS = {
    **dict.fromkeys(("female", "f", "여", "여자", "여성"), "female"),
    **dict.fromkeys(("male", "m", "남", "남자", "남성"), "male"),
}
YES = ("true", "1", "yes", "y", "o", "예", "네", "참")
NO = ("false", "0", "no", "n", "x", "아니오", "아니요", "거짓")
TRUTH = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False)}
#: As Excel shows a date in Korean: `2026-01-02 오후 3:04:05`, `2026. 1. 2.`, `2026/1/2 15:04`, `2026년 1월 2일`.
EXCEL_DATE = re.compile(
    r"(?P<year>\d{4})(?:[-/.] ?|년 ?)(?P<month>\d{1,2})(?:[-/.] ?|월 ?)(?P<day>\d{1,2})(?:\.|일)?"
    r"(?: +(?P<half>오전|오후|AM|PM)? ?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?",
    re.ASCII,
)
#: Clocks differ, and so do the days of the world's zones.
TOMORROW = timedelta(days=1)
#: As long as KAKAOAUTH_LEAVE_GRACE_DAYS may be.
FAR = timedelta(days=3650)
BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
ROLES = ("is_staff", "is_superuser")


class Given(NamedTuple):
    """An agreement that somebody has given before."""

    term: str
    version: str
    agreed_at: datetime
    withdrawn_at: datetime | None


class Newcomer(NamedTuple):
    """Somebody whose line is good."""

    #: Where it begins in the file; the header begins on line 1.
    line: int
    #: Columns of `User`.
    values: dict[str, Any]
    #: Provider and the provider's id.
    identities: list[tuple[str, str]]
    #: Whether the line gives a role that was left out.
    role_left_out: bool = False
    #: What they have agreed to.
    consents: Sequence["Given"] = ()

    def keys(self) -> Iterator[tuple[str, str]]:
        """What nobody else may have: the column it stands in, and one text for each."""
        if self.values["email_key"]:
            yield "email", self.values["email_key"]
        for provider, subject in self.identities:
            yield "identities", f"{provider}:{subject}"


class Refused(NamedTuple):
    """A line that makes nobody."""

    line: int
    #: Column and why, in words; no column if it is the whole line. They quote nothing from the file.
    reasons: tuple[tuple[str, Why], ...]


def read_person(line: int, cells_by_column: Mapping[str, str], *, with_roles: bool) -> Newcomer | Refused:
    """:param with_roles: whether people become staff and superusers whose line says so."""
    values: dict[str, Any] = dict.fromkeys(READERS)
    wrong = []
    for column, cell in cells_by_column.items():
        text = cells.read(cell).strip()
        if text:
            try:
                values[column] = READERS[column](text)
            except ValueError as error:
                wrong.append((column, error.args[0]))
    if not wrong:
        wrong += _contradictions(values)
    if wrong:
        return Refused(line, tuple(wrong))
    return _newcomer(line, values, with_roles=with_roles)


def _contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, Why]]:
    providers = [provider for provider, _ in values["identities"] or ()]
    if not values["email"] and not providers:
        yield "", Why("neither an e-mail address nor an identity: nobody could log in")
    if values["provider"] and values["provider"] not in providers:
        yield "provider", Why("there is no identity of it, so nobody could log in: leave it empty, or add the identity")
    if values["closed_at"] and not values["erase_at"]:
        yield "erase_at", Why("a closed account has a time when it is erased")


def _newcomer(line: int, values: dict[str, Any], *, with_roles: bool) -> Newcomer:
    values.pop("id")
    identities = values.pop("identities") or []
    consents = values.pop("consents") or ()
    values["email"], values["email_key"] = values["email"] or (None, None)
    values["is_active"] = values["is_active"] is not False and values["closed_at"] is None
    if values["is_active"]:
        values["erase_at"] = None
    # A clock that is ahead: a link from the future would make what the provider says of it look old.
    values["date_joined"] = min(values["date_joined"] or now(), now())
    values["provider"] = values["provider"] or (identities[0][0] if identities else None)
    role = values["is_superuser"] or values["is_staff"] or False
    values["is_staff"] = role and with_roles
    values["is_superuser"] = (values["is_superuser"] or False) and with_roles
    return Newcomer(line, values, identities, role_left_out=role and not with_roles, consents=consents)


# How each column's text is read: ValueError says in words why not.


def _anything(_text: str) -> None:
    """Numbers are given anew: another site's may be taken here."""


def _known_provider(text: str) -> str:
    if text not in PROVIDER_LABELS:
        raise ValueError(Why("none of %(choices)s", choices=", ".join(PROVIDER_LABELS)))
    return text


def _line_of_text(text: str) -> str | None:
    cleaned = clean_text(text, limit=MAX_TEXT + 1)
    if cleaned and len(cleaned) > MAX_TEXT:
        raise ValueError(Why("longer than %(most)s characters", most=MAX_TEXT))
    return cleaned


def _email(text: str) -> tuple[str, str]:
    """As the person writes it, and as it is compared."""
    key = normal_form(text)
    if key is None:
        raise ValueError(Why("not an e-mail address"))
    return text, key


def _age(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= OLDEST):
        raise ValueError(Why("not a number of years up to %(most)s", most=OLDEST))
    return int(text)


def _age_range(text: str) -> str:
    if not AGE_RANGE.fullmatch(text):
        raise ValueError(Why("not of the form %(form)s", form="20~29"))
    return text


def _gender(text: str) -> str:
    if text.lower() not in GENDER_WORDS:
        raise ValueError(Why("none of %(choices)s", choices=", ".join(GENDERS)))
    return GENDER_WORDS[text.lower()]


def _image(text: str) -> str:
    address = own_picture(text)
    if address is None:
        raise ValueError(Why("not an https address of a picture"))
    return address


def _truth(text: str) -> bool:
    if text.lower() not in TRUTH:
        raise ValueError(Why("neither true nor false"))
    return TRUTH[text.lower()]


def _moment(text: str) -> datetime:
    """ISO 8601, or as Excel shows it in Korean; without a zone it is UTC."""
    return _moment_until(now() + TOMORROW, text)


def _moment_to_come(text: str) -> datetime:
    return _moment_until(now() + FAR, text)


def _moment_until(last: datetime, text: str) -> datetime:
    try:
        excel = EXCEL_DATE.fullmatch(text)
        moment = _of_excel(excel) if excel else datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(Why("not a time of the form %(form)s", form="2026-01-31T12:30:00Z")) from None
    if not BEGINNING <= moment <= last:
        raise ValueError(Why("too long ago, or in the future"))
    return moment


def _of_excel(parts: re.Match[str]) -> datetime:
    """:raises ValueError: no such day or hour."""
    hour, half = int(parts["hour"] or 0), parts["half"]
    if half and not 1 <= hour <= 12:
        raise ValueError("no such hour")
    if half:
        hour = hour % 12 + (12 if half in ("오후", "PM") else 0)
    day = int(parts["year"]), int(parts["month"]), int(parts["day"])
    return datetime(*day, hour, int(parts["minute"] or 0), int(parts["second"] or 0), tzinfo=UTC)


def _identities(text: str) -> Sequence[tuple[str, str]]:
    found = []
    for part in text.split("|"):
        provider, _, written = part.strip().partition(":")
        subject = unquote(written)
        if not WRITTEN.fullmatch(written) or not SUBJECT.fullmatch(subject):
            raise ValueError(Why("not of the form %(form)s", form="kakao:123|facebook:456"))
        found.append((_known_provider(provider), subject))
    if len(set(found)) < len(found):
        raise ValueError(Why("the same one twice"))
    return found


def _consents(text: str) -> Sequence[Given]:
    found = []
    for part in text.split("|"):
        term, version, agreed_at, *rest = [*part.strip().split("@"), "", "", ""][:5]
        if not (terms.ID.fullmatch(term) and terms.VERSION.fullmatch(version)):
            raise ValueError(Why("not of the form %(form)s", form="terms@2026-01@2026-01-31T12:30:00Z"))
        found.append(Given(term, version, _moment(agreed_at), _moment(rest[1]) if rest[1] else None))
    in_force = [(one.term, one.version) for one in found if one.withdrawn_at is None]
    if len(set(in_force)) < len(in_force):
        raise ValueError(Why("the same one twice"))
    return found


#: Column of the file -> how it is read.
READERS: Mapping[str, Callable[[str], Any]] = {
    "id": _anything,
    "provider": _known_provider,
    "name": _line_of_text,
    "nickname": _line_of_text,
    "email": _email,
    "age": _age,
    "age_range": _age_range,
    "gender": _gender,
    "profile_image": _image,
    "is_active": _truth,
    "is_staff": _truth,
    "is_superuser": _truth,
    "date_joined": _moment,
    "last_login": _moment,
    "closed_at": _moment,
    "erase_at": _moment_to_come,
    "identities": _identities,
    "consents": _consents,
}
