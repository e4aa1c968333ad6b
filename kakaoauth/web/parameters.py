"""Parameters of a query or a form that may be given only once."""

from collections.abc import Callable

from werkzeug.datastructures import MultiDict

from kakaoauth.errors import AppError

Doubled = Callable[[str], AppError]


def only(values: MultiDict[str, str], name: str, *, doubled: Doubled | None = None) -> str | None:
    """Return the one value of a parameter; None if there is none.

    Of two, a proxy or a firewall may have looked at the other one, so neither counts.

    :param doubled: makes what to raise if it is given more than once, from its name; None: it counts as not given.
    """
    found = values.getlist(name)
    if len(found) > 1 and doubled:
        raise doubled(name)
    return found[0] if len(found) == 1 else None
