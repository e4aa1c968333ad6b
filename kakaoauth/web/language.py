"""In which language a page speaks: the reader's choice, then the browser's."""

from flask import g, request
from flask_babel import Babel

LANGUAGES = ("ko", "en")


def language() -> str:
    """Korean comes first: English only for those who ask for it, or chose it."""
    for choice in (request.args.get("lang"), request.cookies.get("lang")):
        if choice in LANGUAGES:
            return choice
    return request.accept_languages.best_match(LANGUAGES) or "ko"


def remember_language_choice() -> None:
    choice = request.args.get("lang")
    g.language_choice = choice if choice in LANGUAGES else None


babel = Babel()
