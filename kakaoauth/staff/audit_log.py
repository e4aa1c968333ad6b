"""The audit log's page, for superusers: filters and pages."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date
from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from kakaoauth import providers
from kakaoauth.audit import labels, search
from kakaoauth.audit.search import RESULTS, Filter, Page
from kakaoauth.days import today
from kakaoauth.errors import InvalidRequest
from kakaoauth.models import names_of
from kakaoauth.staff.csv.export_trail import export_trail
from kakaoauth.staff.event_rows import rows
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.web import guards, rate_limits

bp = Blueprint("trail", __name__, url_prefix="/users/audit")
bp.before_request(guards.superuser)
bp.before_request(guards.form)

PAGE = 50
#: As long as the columns.
ACTION_LENGTH, PROVIDER_LENGTH = 30, 20


@bp.get("/")
def index() -> ResponseReturnValue:
    """A filter that cannot be read is left out, and the page says so."""
    asked, good = _read_filter()
    page = _page(Filter(**good), request.args.get("cursor", ""))
    lines = labels.lines(page.events, shortened=False)
    shown: dict[str, Any] = {name: asked[name] for name in good}
    return render_template(
        "kakaoauth/users/trail.html",
        lines=lines,
        rows=rows(lines, names_of(n for line in lines for n in (line.actor, line.target) if n is not None)),
        asked=shown,
        searched_to=page.searched_to,
        odd=[name for name in asked if name not in good],
        actions=_choices(labels.ACTIONS, shown.get("action"), labels.action_label),
        ways=_choices(_ways(), shown.get("provider"), labels.provider_label),
        older=page.older and url_for("kakaoauth.trail.index", **shown, cursor=page.older),
        newer=page.newer and url_for("kakaoauth.trail.index", **shown, cursor=page.newer),
        newest=url_for("kakaoauth.trail.index", **shown) if "cursor" in request.args else None,
    )


@bp.post("/export.csv")
def export() -> ResponseReturnValue:
    """All events of the filter in the address, page after page as fast as the browser takes them.

    :raises InvalidRequest: a filter that is not understood. :raises RateLimited:
    """
    asked, good = _read_filter()
    if len(asked) != len(good):
        raise InvalidRequest("a filter that is none")
    rate_limits.hit("export", str(current_user.id))
    pieces = export_trail(Filter(**good), actor=current_user.id)
    headers = {"Content-Disposition": f"attachment; filename=audit-{today().isoformat()}.csv"}
    return Response(stream_with_context(pieces), content_type="text/csv; charset=utf-8", headers=headers)


def _read_filter() -> tuple[dict[str, str], dict[str, Any]]:
    """What the address asks for, and what of it means something."""
    asked = {name: text for name in READERS if (text := request.args.get(name, "").strip())}
    read = {name: READERS[name](text) for name, text in asked.items()}
    return asked, {name: value for name, value in read.items() if value is not None}


def _choices(names: Iterable[str], asked: str | None, label: Callable[[str], str]) -> list[tuple[str, str]]:
    """What is asked for can be chosen as well, also if nothing is called so in this version."""
    return [(name, label(name)) for name in dict.fromkeys((*names, *filter(None, [asked])))]


def _ways() -> list[str]:
    return [*(provider.name for provider in providers.all_providers()), "password"]


def _page(chosen: Filter, cursor: str) -> Page:
    """An unreadable cursor is the first page."""
    with suppress(ValueError):
        return search.page(chosen, cursor=cursor or None, limit=PAGE)
    return search.page(chosen, limit=PAGE)


def _text(longest: int) -> Callable[[str], str | None]:
    return lambda text: text if len(text) <= longest and text.isprintable() else None


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) if is_number and int(text) <= MAX_ID else None


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text)
    return None


#: What a filter's text means; None: nothing.
READERS: dict[str, Callable[[str], Any]] = {
    "action": _text(ACTION_LENGTH),
    "result": lambda text: text if text in RESULTS else None,
    "provider": _text(PROVIDER_LENGTH),
    "person": _number,
    "since": _day,
    "until": _day,
}
