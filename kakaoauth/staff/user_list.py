"""The user list's page: search, filters, sorting, pages, and the CSV export."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any
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
from kakaoauth.web import guards, rate_limits
from kakaoauth.web.pieces import Pieces, pieces, together
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

#: Filters that are folded away until one of them is used.
MORE = ("linked", "email", "tag", "consent", "from", "until", "login_from", "login_until")

#: What the address asks for: its parameters, as far as they were understood.
Asked = dict[str, Any]


@bp.get("/")
def index() -> ResponseReturnValue:
    """The address holds the whole state of the page. A parameter that cannot be read is left out."""
    asked = understood(request.args)
    sort = asked.get("sort", DEFAULT_SORT)
    # Before the list: each is read without a transaction as long as there is none.
    waiting, saved = backlog.for_staff(), saved_filters.of_owner(current_user.id)
    chosen = _filter(asked)
    page = _page(chosen, sort, request.args.get("cursor"))
    kept = pieces()
    return render_template(
        "kakaoauth/users/index.html",
        users=page.users,
        rows=_rows(page.users, kept),
        asked=asked,
        form=_form(asked, sort, kept),
        columns=_columns(asked, sort, kept),
        by_age=sort in ("-date_joined", "-id"),
        total=_total(chosen, page),
        cut=page.cut,
        first=url_for("kakaoauth.users.index", **asked) if "cursor" in request.args else None,
        previous=page.previous and url_for("kakaoauth.users.index", **asked, cursor=page.previous),
        next=page.next and url_for("kakaoauth.users.index", **asked, cursor=page.next),
        backlog=waiting,
        saved=saved,
        query=urlencode(asked),
    )


def _form(asked: Asked, sort: str, kept: Pieces) -> Markup:
    """What the list is filtered by, to be changed."""
    chosen = [(name, asked.get(name, "")) for name in ("role", "state", "provider", "linked", "email", "consent")]
    return kept.fill(
        "kakaoauth/users/_filter.html",
        *chosen,
        ("sort", sort),
        ("more", any(name in asked for name in MORE)),
        ("is_asked", bool(asked)),
        ("providers", tuple((name, provider_label(name)) for name in PROVIDER_LABELS)),
        ("terms", tuple((term.id, str(term.title)) for term in terms.asked())),
        q=asked.get("q"),
        tag=asked.get("tag"),
        joined_from=asked.get("from"),
        joined_until=asked.get("until"),
        login_from=asked.get("login_from"),
        login_until=asked.get("login_until"),
    )


def _columns(asked: Asked, sort: str, kept: Pieces) -> Markup:
    """The headings. Each is a link that sorts by its column, or turns the order round if the list is sorted by it."""
    links = dict(COLUMNS)
    column = sort.removeprefix("-")
    if column in links:
        links[column] = column if sort.startswith("-") else f"-{column}"
    others = {name: text for name, text in asked.items() if name != "sort"}
    return kept.fill(
        "kakaoauth/users/_columns.html",
        ("sorted", column),
        ("direction", "descending" if sort.startswith("-") else "ascending"),
        **{name: url_for("kakaoauth.users.index", **others, sort=wanted) for name, wanted in links.items()},
    )


def _rows(users: Sequence[Person], kept: Pieces) -> Callable[[Callable[..., Markup]], Markup]:
    """Return what gives the rows. It is called with what shows a role and a state as chips."""
    page_of = Helpers.pages("kakaoauth.desk.show", "user_id")
    ways = {name: provider_label(name) for name in {user.provider for user in users} if name}
    tags = notes.tags_of([user.id for user in users])

    def row(user: Person, chips: Markup | None) -> Markup:
        name = user.display_name
        return kept.fill(
            "kakaoauth/users/_row.html",
            id=str(user.id),
            name=name,
            hue=str(user.id % 6),
            initial=initial(name),
            image=user.profile_image,
            href=page_of(user.id),
            tags=together(map(Markup('<span class="chip">{}</span>').format, tags[user.id])) if user.id in tags else "",
            email=user.email,
            chips=chips,
            way=ways.get(user.provider or ""),
            joined=ago(user.date_joined),
            last=ago(user.last_login),
            is_off=not user.is_active and user.is_suspended,
        )

    def rows(chips: Callable[..., Markup]) -> Markup:
        return together(
            row(user, chips(user, brief=True) if user.is_staff or not user.is_active else None) for user in users
        )

    return rows


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
    lines = export_users.export_users(chosen, sort=asked.get("sort", DEFAULT_SORT), actor=current_user.id)
    name = f"users-{today().isoformat()}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(stream_with_context(lines), content_type="text/csv; charset=utf-8", headers=headers)


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


def _total(chosen: Filter, page: Page) -> str:
    if page.next is None and page.previous is None:
        number, whole = len(page.users), True
    elif page.number is not None:
        number, whole = page.number, True
    elif page.cut and page.previous is None:  # to count them takes as many rows as have been looked at
        number, whole = len(page.users), False
    else:
        number, whole = listing.counted(chosen, wanted=page.wanted)
        number = number or len(page.users) * (page.next is not None)
    if whole:
        return str(gettext("Users: %(number)s", number=format_decimal(number)))
    return str(gettext("Users: more than %(number)s", number=format_decimal(number))) if number else ""
