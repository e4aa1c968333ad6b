"""The language of a page: the reader's choice, then the browser's."""

from flask import g, request
from flask_babel import Babel

LANGUAGES = ("ko", "en")


def language() -> str:
    """Return `ko` or `en`: the query, the cookie, then Accept-Language; Korean if none of them decides."""
    for choice in (request.args.get("lang"), request.cookies.get("lang")):
        if choice in LANGUAGES:
            return choice
    return request.accept_languages.best_match(LANGUAGES) or "ko"


def remember_language_choice() -> None:
    """Note a choice in the query, so that `web.edge` sends it as a cookie."""
    choice = request.args.get("lang")
    g.language_choice = choice if choice in LANGUAGES else None


babel = Babel()
