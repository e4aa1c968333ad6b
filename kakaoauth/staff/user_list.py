"""The user list's page: search, filters, sorting, pages, and the CSV export."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from kakaoauth import terms
from kakaoauth.accounts import notes, saved_filters
from kakaoauth.accounts.notes import clean_tag
from kakaoauth.days import today
from kakaoauth.errors import PROVIDER_LABELS, InvalidRequest, provider_label
from kakaoauth.monitoring import backlog
from kakaoauth.staff import listing
from kakaoauth.staff.csv import export_users
from kakaoauth.staff.listing import Page
from kakaoauth.staff.listing.filters import ROLES, STATES, Filter
from kakaoauth.staff.listing.ordering import SORTS
from kakaoauth.staff.listing.people import Person
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.translation import format_decimal, gettext
from kakaoauth.translation import lazy_gettext as _
from kakaoauth.web import guards, rate_limits
from kakaoauth.web.pieces import pieces, together
from kakaoauth.web.template_helpers import Helpers, ago, initial

bp = Blueprint("users", __name__, url_prefix="/users")
bp.before_request(guards.staff)
bp.before_request(guards.form)

PAGE = 50
#: Longer than any e-mail address or name.
SEARCH_LENGTH = 254
DEFAULT_SORT = "-date_joined"
#: Column -> the sort its heading asks for first.
COLUMNS = {"id": "-id", "nickname": "nickname", "email": "email", "date_joined": "-date_joined"}
COLUMNS["last_login"] = "-last_login"
SORT_LABELS = {
    "-date_joined": _("newest first"),
    "date_joined": _("oldest first"),
    "-last_login": _("last login first"),
    "last_login": _("least recently active"),
    "nickname": _("nickname A–Z"),
    "-nickname": _("nickname Z–A"),
    "email": _("e-mail A–Z"),
    "-email": _("e-mail Z–A"),
    "id": _("number, smallest first"),
    "-id": _("number, largest first"),
}

#: Filters that are folded away until one of them is used.
MORE = ("linked", "email", "tag", "consent", "from", "until", "login_from", "login_until")

#: What the address asks for: its parameters, as far as they were understood.
Asked = dict[str, Any]


class Heading(NamedTuple):
    href: str
    #: What `aria-sort` says; None: the list is sorted by something else.
    sorted: str | None


@bp.get("/")
def index() -> ResponseReturnValue:
    """The address holds the whole state of the page. A parameter that cannot be read is left out."""
    asked = understood(request.args)
    sort = asked.get("sort", DEFAULT_SORT)
    chosen = _filter(asked)
    page = _page(chosen, sort, request.args.get("cursor"))
    return render_template(
        "kakaoauth/users/index.html",
        users=page.users,
        row=_rows(page.users),
        asked=asked,
        sort=sort,
        sorts=SORT_LABELS,
        providers=PROVIDER_LABELS,
        headings={column: _heading(asked, column, sort) for column in COLUMNS},
        by_age=sort in ("-date_joined", "-id"),
        total=_total(chosen, page),
        cut=page.cut,
        first=url_for("kakaoauth.users.index", **asked) if "cursor" in request.args else None,
        previous=page.previous and url_for("kakaoauth.users.index", **asked, cursor=page.previous),
        next=page.next and url_for("kakaoauth.users.index", **asked, cursor=page.next),
        backlog=backlog.for_staff(),
        terms=terms.asked(),
        saved=saved_filters.of_owner(current_user.id),
        query=urlencode(asked),
        more=any(name in asked for name in MORE),
    )


def _rows(users: Sequence[Person]) -> Callable[[Person, Markup], Markup]:
    """Return what shows a user as a row, with their role and state as chips."""
    kept, page_of = pieces(), Helpers.pages("kakaoauth.desk.show", "user_id")
    ways = {name: provider_label(name) for name in {user.provider for user in users} if name}
    tags = notes.tags_of([user.id for user in users])

    def row(user: Person, chips: Markup) -> Markup:
        name = user.display_name
        return kept.fill(
            "kakaoauth/users/_row.html",
            id=str(user.id),
            name=name,
            hue=str(user.id % 6),
            initial=initial(name),
            image=user.profile_image,
            href=page_of(user.id),
            tags=together([Markup('<span class="chip">{}</span>').format(tag) for tag in tags.get(user.id, ())]),
            email=user.email,
            chips=chips,
            way=ways.get(user.provider or ""),
            joined=ago(user.date_joined),
            last=ago(user.last_login),
            is_off=not user.is_active and user.is_suspended,
        )

    return row


@bp.post("/export.csv")
def export() -> ResponseReturnValue:
    """Everybody whom the list shows, in its order, page after page as fast as the browser takes it.

    :raises InvalidRequest: a filter that is not understood; here, leaving it out would hand out everybody.
    :raises RateLimited:
    """
    asked = understood(request.values)
    if any(request.values.get(name, "").strip() and name not in asked for name in READERS if name != "sort"):
        raise InvalidRequest("a filter that is none")
    rate_limits.hit("export", str(current_user.id))
    chosen = _filter(asked)
    if "users" in request.form:
        chosen = replace(chosen, ids=tuple(_ids(request.form["users"].split(","))) or (0,))
    pieces = export_users.export_users(chosen, sort=asked.get("sort", DEFAULT_SORT), actor=current_user.id)
    name = f"users-{today().isoformat()}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(stream_with_context(pieces), content_type="text/csv; charset=utf-8", headers=headers)


@bp.get("/export/")
def ask_export() -> ResponseReturnValue:
    """Before the chosen users of a page are handed out. They are in the address, as `user` once for each."""
    ids = _ids(request.args.getlist("user"))[:PAGE]
    return render_template("kakaoauth/users/export.html", ids=ids)


def _ids(said: Iterable[str]) -> list[int]:
    """The numbers among these texts that may be users'."""
    numbers = {int(text) for text in said if text.isascii() and text.isdecimal() and len(text) < 20}
    return [number for number in sorted(numbers) if 0 < number <= MAX_ID][:PAGE]


def understood(said: Mapping[str, str]) -> Asked:
    """Return what of an address is a filter or an order of the list, as far as it can be read."""
    return {name: text for name, read in READERS.items() if (text := read(said.get(name, "").strip()))}


def _day(text: str) -> str:
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat()
    return ""


def _search(text: str) -> str:
    """What can be written into an address again. An emoji's joiner cannot be printed, but is part of it."""
    return "".join(char for char in text if char.isprintable() or char == "\u200d").strip()[:SEARCH_LENGTH]


#: Parameter of the address -> how it is read; empty if it cannot be.
READERS: dict[str, Callable[[str], str]] = {
    "q": _search,
    "provider": lambda text: text if text in PROVIDER_LABELS else "",
    "role": lambda text: text if text in ROLES else "",
    "state": lambda text: text if text in STATES else "",
    "linked": lambda text: text if text in PROVIDER_LABELS else "",
    "email": lambda text: text if text == "none" else "",
    "tag": lambda text: clean_tag(text),
    #: A term's id, or "-" and the id of one that they do not agree to.
    "consent": lambda text: text if terms.find(text.removeprefix("-")) else "",
    "from": _day,
    "until": _day,
    "login_from": _day,
    "login_until": _day,
    "sort": lambda text: text if text in SORTS and text != DEFAULT_SORT else "",
}


def _filter(asked: Asked) -> Filter:
    names = ("from", "until", "login_from", "login_until")
    days = {name: date.fromisoformat(asked[name]) for name in names if name in asked}
    consent = asked.get("consent", "")
    return Filter(
        search=asked.get("q", ""),
        provider=asked.get("provider", ""),
        role=asked.get("role", ""),
        state=asked.get("state", ""),
        joined_from=days.get("from"),
        joined_until=days.get("until"),
        login_from=days.get("login_from"),
        login_until=days.get("login_until"),
        linked=asked.get("linked", ""),
        email=asked.get("email", ""),
        tag=asked.get("tag", ""),
        agreed="" if consent.startswith("-") else consent,
        not_agreed=consent[1:] if consent.startswith("-") else "",
    )


def _page(chosen: Filter, sort: str, cursor: str | None) -> Page:
    """An unreadable cursor is the first page."""
    with suppress(ValueError):
        return listing.page(chosen, sort=sort, cursor=cursor, limit=PAGE)
    return listing.page(chosen, sort=sort, limit=PAGE)


def _heading(asked: Asked, column: str, sort: str) -> Heading:
    """A link that sorts by the column, or turns the order round if the list is sorted by it."""
    others = {name: text for name, text in asked.items() if name != "sort"}
    wanted, state = COLUMNS[column], None
    if sort.removeprefix("-") == column:
        wanted = column if sort.startswith("-") else f"-{column}"
        state = "descending" if sort.startswith("-") else "ascending"
    return Heading(url_for("kakaoauth.users.index", **others, sort=wanted), state)


def _total(chosen: Filter, page: Page) -> str:
    if page.next is None and page.previous is None:
        number, whole = len(page.users), True
    elif page.number is not None:
        number, whole = page.number, True
    else:
        number, whole = listing.counted(chosen)
        number = number or len(page.users) * (page.next is not None)
    if whole:
        return str(gettext("Users: %(number)s", number=format_decimal(number)))
    return str(gettext("Users: more than %(number)s", number=format_decimal(number))) if number else ""
