"""Pages of those who are logged in, rendered once and filled for each of them.

What is kept holds nothing of a person: the page is rendered for nobody, whose values are marks, and is split there.
Values are escaped as in a template, and put between the pieces: nobody looks for a mark in them.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, g, render_template
from markupsafe import Markup, escape

from kakaoauth.models import User
from kakaoauth.sessions.csrf_tokens import csrf_token
from kakaoauth.web import messages, parts
from kakaoauth.web.template_helpers import way_out

#: Where an app keeps them.
KEPT = "kakaoauth_personal_pages"


class ShowsMore(Exception):
    """The page shows more of a person than is filled in, because somebody has changed a template."""


class Nobody:
    """Whom a page is rendered for to be kept: has what such a page may show of a person, and no more."""

    is_authenticated = True

    def __init__(self, marks: Mapping[str, str], *, is_staff: bool, provider: str) -> None:
        vars(self).update(marks, is_staff=is_staff, provider=provider)

    def __getattr__(self, name: str) -> Any:
        """:raises ShowsMore: a template would show nothing where that is missing."""
        raise ShowsMore(name)


def render(template: str, *, user: User, own: Mapping[str, str] | None = None, **shown: Any) -> str | Response:
    """Render a page for the current user, which shows no more of the request than `parts.page` allows.

    :param own: templates of what is rendered each time, by name: `template` shows `kakaoauth_own.<name>`, and includes
        the template where that is not defined. :param shown: variables of these.
    """
    if not parts.may_keep_page() or messages.are_waiting():
        return render_template(template, user=user, **shown)
    values = _values(user)
    for name, file in (own or {}).items():
        found = current_app.jinja_env.get_template(file)
        values[name] = Markup(found.render(user=user, **shown))  # noqa: S704
    has = {name: bool(value) for name, value in values.items()}  # without one, a page may say something else
    is_staff, provider = user.is_staff, way_out(user)

    def make() -> list[str]:
        return _pieces(template, has, is_staff=is_staff, provider=provider)

    try:
        filled = parts.kept_page(KEPT, make, template, *has.values(), is_staff, provider).copy()
    except ShowsMore:
        return render_template(template, user=user, **shown)
    filled[1::2] = [escape(values[name]) for name in filled[1::2]]
    return parts.Page("".join(filled))


def _values(user: User) -> dict[str, str | None]:
    name = user.display_name
    return {
        "display_name": name,
        "initial": (name or "?")[0].upper(),
        "nickname": user.nickname,
        "email": user.email,
        "profile_image": user.profile_image,
        "csrf_token": csrf_token(),
    }


def _pieces(template: str, has: Mapping[str, bool], *, is_staff: bool, provider: str) -> list[str]:
    """Return a page's text, with the name of a value between any two pieces of it. :param has: the values by name."""
    mark = secrets.token_hex(16)  # nobody can know it, and put it into what the page shows of a request
    marks = {name: f"{mark}{name}{mark}" if is_there else "" for name, is_there in has.items()}
    nobody = Nobody(marks, is_staff=is_staff, provider=provider)
    before = g._login_user, g.csrf_token
    g._login_user, g.csrf_token = nobody, marks["csrf_token"]
    try:
        page = render_template(template, user=nobody, kakaoauth_initial=marks["initial"], kakaoauth_own=marks)
    finally:
        g._login_user, g.csrf_token = before
    return page.split(mark)
