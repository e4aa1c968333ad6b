"""Templates that are rendered once, and filled for each person.

What is kept holds nothing of a person: a template is rendered for nobody, with marks for values, and is split there.
Values are escaped as in a template, and put between the pieces: nobody looks for a mark in them.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask, current_app, render_template
from jinja2 import TemplateNotFound
from markupsafe import Markup, escape

from kakaoauth.web import parts
from kakaoauth.web.parts import OF_ONE, OfOne, ShowsMore
from kakaoauth.web.template_helpers import TEMPLATE_FOLDER

#: Where an app keeps them, and whether all of our templates are ours.
KEPT, ARE_OURS = "kakaoauth_pieces", "kakaoauth_templates_are_ours"
#: Of each language and place. Each template has some: one for each choice of values that are missing.
MOST = 500
#: A character that no text for people has, and that is not escaped.
BETWEEN = "\0"

Values = Mapping[str, Any]


class Nobody:
    """Whom a template is rendered for to be kept: has what it may show of a person, and no more."""

    is_authenticated = True

    def __init__(self, marks: Values) -> None:
        vars(self).update(marks)

    def __getattr__(self, name: str) -> Any:
        """:raises ShowsMore: a template would show nothing where that is missing."""
        raise ShowsMore(name)


class Mark(OfOne):
    """Stands for a value: may be shown, or asked whether it is there. Whatever else a template does with it, such as to
    shorten it, it has to do with each value itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.__text = text

    def __html__(self) -> str:
        return self.__text

    def __bool__(self) -> bool:
        return True


class Pieces(dict[tuple[object, ...], list[str]]):
    """Templates in pieces, with the name of a value between any two."""

    def fill(self, template: str, /, *alike: tuple[str, object], **values: Any) -> Markup:
        """Show values, each time of the same names, by a template: it shows each as it is, or asks whether it is there.

        :param alike: names and values of which there are few, and which are not of one person.
        """
        key = (template, *alike, *map(bool, values.values()))  # without a value, a template may say something else
        pieces = self.get(key)
        if pieces is None:
            if len(self) >= MOST:
                self.clear()
            render = current_app.jinja_env.get_template(template).render
            try:
                pieces = self[key] = cut(lambda nobody: render(vars(nobody), **OF_ONE), values, dict(alike))
            except ShowsMore:
                return Rendered().fill(template, *alike, **values)
        return Markup(join(pieces, values))  # noqa: S704


class Rendered(Pieces):
    """The same where templates may show more of a request: a host has replaced one."""

    def fill(self, template: str, /, *alike: tuple[str, object], **values: Any) -> Markup:
        """Render the template."""
        return Markup(render_template(template, **dict(alike), **values))  # noqa: S704


def pieces() -> Pieces:
    """Return what is kept for this request's language and place."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return parts.kept(KEPT, (), Pieces) if may_fill(app) else Rendered()


def may_fill(app: Flask) -> bool:
    """Whether our templates show what we know of: a host has replaced none, nobody is at work on them, and nothing that
    may be of one person is added to addresses."""
    if app.jinja_env.auto_reload or app.url_default_functions:
        return False
    if ARE_OURS not in app.extensions:
        app.extensions[ARE_OURS] = all(_is_ours(app.jinja_env, path) for path in TEMPLATE_FOLDER.rglob("*.html"))
    return bool(app.extensions[ARE_OURS])


def together(rows: Iterable[Markup]) -> Markup:
    """Put rows one after another."""
    return Markup("".join(rows))  # noqa: S704


def cut(render: Callable[[Nobody], str], values: Values, alike: Values) -> list[str]:
    """Return a template's text, with the name of a value between any two pieces of it.

    :raises ShowsMore: it shows more of a person.
    """
    mark = secrets.token_hex(16)  # nobody can know it, and put it into what the page shows of a request
    marks = {name: Mark(f"{mark}{name}{mark}") if value else "" for name, value in values.items()}
    nobody = Nobody({**alike, **marks})
    with parts.shown_to(nobody, marks.get("csrf_token", nobody)):
        try:
            return render(nobody).split(mark)
        except TypeError:
            raise ShowsMore from None  # it reckons with a value


def join(pieces: list[str], values: Values) -> str:
    """Put values between pieces."""
    filled: list[Any] = pieces.copy()
    filled[1::2] = _escaped([values[name] for name in filled[1::2]])
    return "".join(filled)


def _escaped(values: list[Any]) -> list[str]:
    """As `escape` of each. The plain texts among them by one call: to make a `Markup` takes longer than to escape."""
    texts = [value for value in values if type(value) is str]
    escaped = str.split(escape(BETWEEN.join(texts)), BETWEEN)
    if len(escaped) != max(len(texts), 1):  # one has the character itself
        return [value if type(value) is Markup else escape(value) for value in values]
    following = iter(escaped)
    return [
        next(following) if type(value) is str else value if type(value) is Markup else escape(value) for value in values
    ]


def _is_ours(environment: Any, path: Path) -> bool:
    try:
        _, found, _ = environment.loader.get_source(environment, path.relative_to(TEMPLATE_FOLDER).as_posix())
    except (TemplateNotFound, RuntimeError):  # a host's loader lacks it, or does not tell where it comes from
        return False
    return bool(found == str(path))
