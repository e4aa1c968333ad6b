"""The overview page: logins and sign-ups by day, the login funnel, refusals by reason, active users."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from kakaoauth import errors
from kakaoauth.audit import labels
from kakaoauth.monitoring import numbers as monitoring_numbers
from kakaoauth.monitoring.numbers import Overview, Reason
from kakaoauth.translation import format_date, format_decimal, format_percent, gettext
from kakaoauth.web import guards

bp = Blueprint("overview", __name__, url_prefix="/users/overview")
bp.before_request(guards.staff)

PERIODS = (7, 30, 90)
DEFAULT_PERIOD = 30
#: In its folder's name, so that another version is another address.
CHART_LIBRARY = "vendor/chart.js-4.6.1/chart.umd.min.js"


@dataclass(frozen=True)
class Chart:
    """A chart, and the same numbers as a sentence and a table, for people who do not see it."""

    title: str
    sentence: str
    headings: list[str]
    #: As people read them.
    rows: list[list[str]]
    #: What the script draws: overview.js.
    drawn: dict[str, Any]


@bp.get("/")
def index() -> ResponseReturnValue:
    """`days` in the address; what is not offered there is the default."""
    asked = request.args.get("days", type=int)
    period = asked if asked in PERIODS else DEFAULT_PERIOD
    numbers = monitoring_numbers.read(period)
    charts = [_logins(numbers), _funnel(numbers), _refusals(numbers), _people(numbers)]
    return render_template(
        "kakaoauth/users/overview.html",
        periods=PERIODS,
        period=period,
        numbers=numbers,
        today=numbers.days[-1],
        compared=_compared(numbers),
        charts=[chart for chart in charts if chart],
        library=CHART_LIBRARY,
    )


def _compared(numbers: Overview) -> list[tuple[str, str, str, str]]:
    """Name, number, change and the number before, of days that are over: today would always look like a fall."""
    names = {
        "sign_ups": gettext("Sign-ups"),
        "logins": gettext("Logins"),
        "refused": gettext("Refused logins"),
        "people": gettext("People a day"),
    }
    found = []
    for field, name in names.items():
        now, before = getattr(numbers.finished, field), getattr(numbers.before, field)
        if field == "people":
            now, before = round(now / len(numbers.days)), round(before / len(numbers.days))
        change = (
            f"{'▲' if now > before else '▼'} {_share(abs(now - before), before)}" if before and now != before else ""
        )
        found.append((str(name), str(format_decimal(now)), change, str(format_decimal(before))))
    return found


def _logins(numbers: Overview) -> Chart | None:
    if not numbers.logins:
        return None
    most = max(numbers.days, key=lambda day: day.logins)
    sign_ups, logins = gettext("Sign-ups"), gettext("Logins")
    return Chart(
        gettext("Sign-ups and logins"),
        gettext(
            "Logins: %(logins)s, and with %(sign_ups)s of them somebody signed up. Peak: %(most)s on %(day)s.",
            logins=format_decimal(numbers.logins),
            sign_ups=format_decimal(numbers.sign_ups),
            day=format_date(most.day, "medium"),
            most=format_decimal(most.logins),
        ),
        [gettext("Day"), sign_ups, logins],
        [
            [day.day.isoformat(), format_decimal(day.sign_ups), format_decimal(day.logins)]
            for day in reversed(numbers.days)
        ],
        _by_day(
            numbers,
            _series(logins, [day.logins for day in numbers.days]),
            _series(sign_ups, [day.sign_ups for day in numbers.days]),
        ),
    )


def _funnel(numbers: Overview) -> Chart | None:
    """Also where nothing was begun in these days, but somebody came back who had begun before."""
    steps = {gettext("Begun"): numbers.begun, gettext("Came back"): numbers.returned}
    if numbers.terms_asked:
        steps |= {
            gettext("Terms shown"): numbers.terms_asked,
            gettext("Terms agreed"): numbers.terms_agreed,
        }
    steps[gettext("Got in")] = numbers.came_in
    if not any(steps.values()):
        return None
    return Chart(
        gettext("From the button to the login"),
        gettext(
            "Logins begun: %(begun)s. Of these %(returned)s came back from the provider, and %(came_in)s got in.",
            begun=format_decimal(numbers.begun),
            returned=_share(numbers.returned, numbers.begun),
            came_in=_share(numbers.came_in, numbers.begun),
        )
        + _about_terms(numbers),
        [gettext("Step"), gettext("Logins"), gettext("Of those begun")],
        [[name, format_decimal(number), _share(number, numbers.begun)] for name, number in steps.items()],
        {"kind": "bars", "labels": list(steps), "series": [_series(gettext("Logins"), list(steps.values()))]},
    )


def _about_terms(numbers: Overview) -> str:
    """Who closes the page tells nobody: all that did not agree count as having left."""
    if not numbers.terms_asked:
        return ""
    left = max(0, numbers.terms_asked - numbers.terms_agreed)
    said = gettext(
        "Of %(asked)s who were shown the terms, %(agreed)s agreed and %(left)s left.",
        asked=format_decimal(numbers.terms_asked),
        agreed=format_decimal(numbers.terms_agreed),
        left=format_decimal(left),
    )
    return f" {said}"


def _refusals(numbers: Overview) -> Chart | None:
    if not numbers.refused:
        return None
    rows = [(_words(reason), f"({reason.code})", reason.provider_code, reason.number) for reason in numbers.reasons]
    if numbers.other_reasons:
        rows.append((str(gettext("Other reasons")), "", "", numbers.other_reasons))
    return Chart(
        gettext("Refused logins"),
        gettext(
            "Refused: %(refused)s. The most frequent reason: %(reason)s (%(share)s).",
            refused=format_decimal(numbers.refused),
            reason=rows[0][0],
            share=_share(rows[0][3], numbers.refused),
        ),
        [gettext("Reason and code"), gettext("How often"), gettext("Share")],
        [
            [
                " ".join(filter(None, (words, provider_code, code))),
                format_decimal(number),
                _share(number, numbers.refused),
            ]
            for words, code, provider_code, number in rows
        ],
        {
            "kind": "bars",
            "labels": [f"{words} {provider_code}".strip() for words, _, provider_code, _ in rows],
            "series": [_series(gettext("Refused logins"), [number for *_, number in rows])],
        },
    )


def _people(numbers: Overview) -> Chart | None:
    if not numbers.people:
        return None
    most = max(numbers.days, key=lambda day: day.people)
    people = gettext("People")
    return Chart(
        gettext("People who were here"),
        gettext(
            "Today so far: %(today)s. Most were here on %(day)s: %(most)s.",
            today=format_decimal(numbers.days[-1].people),
            day=format_date(most.day, "medium"),
            most=format_decimal(most.people),
        ),
        [gettext("Day"), people],
        [[day.day.isoformat(), format_decimal(day.people)] for day in reversed(numbers.days)],
        _by_day(numbers, _series(people, [day.people for day in numbers.days])),
    )


def _by_day(numbers: Overview, *series: dict[str, Any]) -> dict[str, Any]:
    labels = [format_date(day.day, "MM-dd") for day in numbers.days[:-1]]
    return {"kind": "days", "labels": [*labels, str(gettext("today"))], "series": series}


def _series(name: str, values: list[int]) -> dict[str, Any]:
    return {"name": name, "values": values}


def _share(number: int, whole: int) -> str:
    return str(format_percent(number / whole, "#,##0.#%")) if whole else "–"


def _words(reason: Reason) -> str:
    """What the person was told, and where it happened; a code of another version speaks for itself."""
    provider = labels.provider_label(reason.provider)
    words = str(errors.title_of(reason.code) or reason.code)
    if "%(provider)s" in words:
        return words.replace("%(provider)s", provider)
    return f"{provider}: {words}" if provider else words
