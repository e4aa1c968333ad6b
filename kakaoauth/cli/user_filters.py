"""The options of `users list` and `users export` that choose users."""

import functools
from collections.abc import Callable
from typing import Any

import click

from kakaoauth.errors import PROVIDER_LABELS
from kakaoauth.staff.listing import filters
from kakaoauth.staff.listing.filters import Filter

DAY = click.DateTime(("%Y-%m-%d",))
PROVIDER = click.Choice(list(PROVIDER_LABELS))
#: Names of a Filter's fields, as options.
OPTIONS = (
    click.option(
        "--search", default="", help="Part of an e-mail address, nickname or name; a whole id or provider's id."
    ),
    click.option("--provider", type=PROVIDER, help="The one they signed up with."),
    click.option("--linked", type=PROVIDER, help="One that is connected."),
    click.option("--role", type=click.Choice(list(filters.ROLES)), help="The highest one that they have."),
    click.option("--state", type=click.Choice(list(filters.STATES))),
    click.option("--no-email", "email", flag_value="none", default=None, help="Without an e-mail address."),
    click.option("--tag", default="", help="One that the staff gave them."),
    click.option("--joined-from", type=DAY, help="The first day, in Seoul."),
    click.option("--joined-until", type=DAY, help="The last day."),
    click.option("--login-from", type=DAY, help="The first day of the last login."),
    click.option("--login-until", type=DAY, help="The last day of it."),
)


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, and what they say as its argument `chosen`."""

    @functools.wraps(command)
    def with_filter(**given: Any) -> None:
        days: dict[str, Any] = {name: day.date() if (day := given.pop(name)) else None for name in _DAYS}
        values: dict[str, Any] = {name: given.pop(name) or "" for name in _NAMES}
        command(chosen=Filter(**values, **days), **given)

    return functools.reduce(lambda function, option: option(function), reversed(OPTIONS), with_filter)


_DAYS = ("joined_from", "joined_until", "login_from", "login_until")
_NAMES = ("search", "provider", "linked", "role", "state", "email", "tag")
