"""Audit events as rows of a table, for staff."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from kakaoauth.audit.labels import Line
from kakaoauth.web.pieces import pieces, together
from kakaoauth.web.template_helpers import Helpers, ago


def rows(lines: Sequence[Line], names: Mapping[int, str]) -> Markup:
    """Return the rows. :param names: of those who have an account, by number."""
    kept, page_of = pieces(), Helpers.pages("kakaoauth.desk.show", "user_id")

    def person(number: int) -> Markup:
        return kept.fill(
            "kakaoauth/users/_person.html",
            ("has_account", number in names),
            number=str(number),
            name=names.get(number),
            href=page_of(number),
        )

    numbers = {number for line in lines for number in (line.actor, line.target)}
    people = {number: Markup("–") if number is None else person(number) for number in numbers}
    return together(
        kept.fill(
            "kakaoauth/users/_line.html",
            when=ago(line.at, seconds=True),
            action=line.action,
            provider=line.provider,
            is_refused=line.is_refused,
            reason=line.reason,
            code=line.code,
            details=" · ".join(line.details),
            actor=people[line.actor],
            target=people[line.target],
            source=line.source,
            browser=line.browser,
        )
        for line in lines
    )
