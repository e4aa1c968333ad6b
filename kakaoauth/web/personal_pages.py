"""Pages of those who are logged in, rendered once and filled for each of them (`web.pieces`)."""

from typing import Any

from flask import Response, render_template

from kakaoauth.models import User
from kakaoauth.sessions.csrf_tokens import csrf_token
from kakaoauth.web import messages, parts
from kakaoauth.web.pieces import Nobody, ShowsMore, cut, join
from kakaoauth.web.template_helpers import way_out

#: Where an app keeps them.
KEPT = "kakaoauth_personal_pages"


def render(template: str, *, user: User, **shown: Any) -> str | Response:
    """Render a page for the current user, which shows no more of the request than `parts.page` allows.

    :param shown: finished parts of it.
    """
    if not parts.may_keep_page() or messages.are_waiting():
        return render_template(template, user=user, **shown)
    values = {**of(user), **shown}
    alike = {"is_staff": user.is_staff, "provider": way_out(user)}

    def blank(nobody: Nobody) -> str:
        texts = vars(nobody)
        return render_template(template, user=nobody, **{name: texts[name] for name in ("kakaoauth_initial", *shown)})

    def make() -> list[str]:
        return cut(blank, values, alike)

    has = map(bool, values.values())  # without one, a page may say something else
    try:
        return parts.Page(join(parts.kept_page(KEPT, make, template, *has, *alike.values()), values))
    except ShowsMore:
        return render_template(template, user=user, **shown)


def of(user: User) -> dict[str, str | None]:
    """Return what such a page may show of a person besides their role and way out."""
    name = user.display_name
    return {
        "display_name": name,
        "kakaoauth_initial": (name or "?")[0].upper(),
        "nickname": user.nickname,
        "email": user.email,
        "profile_image": user.profile_image,
        "csrf_token": csrf_token(),
    }
