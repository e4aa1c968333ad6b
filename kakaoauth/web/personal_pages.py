"""Pages of those who are logged in, rendered once and filled for each of them (`web.pieces`)."""

from typing import Any

from flask import Response, before_render_template, current_app, render_template, request, template_rendered

from kakaoauth.models import User
from kakaoauth.sessions.csrf_tokens import csrf_token
from kakaoauth.web import messages, parts
from kakaoauth.web.parts import ShowsMore
from kakaoauth.web.pieces import Nobody, cut, join, may_fill
from kakaoauth.web.template_helpers import LAYOUT, initial, way_out

#: Where an app keeps them.
KEPT = "kakaoauth_personal_pages"


def render(template: str, *, user: User, **shown: Any) -> str | Response:
    """Render a page for the current user, which shows no more of the request than `parts.page` allows.

    :param shown: finished parts of it.
    """
    if messages.are_waiting() or not (parts.may_keep_page() or _is_ours()):
        return render_template(template, user=user, **shown)
    values = {**of(user), **shown}
    alike = {"is_staff": user.is_staff, "provider": way_out(user)}

    def blank(nobody: Nobody) -> str:
        texts = {name: vars(nobody)[name] for name in ("kakaoauth_initial", *shown)}
        return render_template(template, user=nobody, **texts, **parts.OF_ONE_PAGE)

    def make() -> list[str]:
        return cut(blank, values, alike)

    has = map(bool, values.values())  # without one, a page may say something else
    try:
        return parts.Page(join(parts.kept_page(KEPT, make, template, *has, *alike.values()), values))
    except ShowsMore:
        return render_template(template, user=user, **shown)


def _is_ours() -> bool:
    """Whether a host's page is ours, layout included, and the host does not ask to hear of each that is rendered."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return (
        (app.config.get("KAKAOAUTH_LAYOUT") or LAYOUT) == LAYOUT
        and len(request.query_string) <= parts.MOST_OF_QUERY
        and not before_render_template.has_receivers_for(app)
        and not template_rendered.has_receivers_for(app)
        and may_fill(app)
    )


def of(user: User) -> dict[str, str | None]:
    """Return what such a page may show of a person besides their role and way out."""
    name = user.display_name
    return {
        "display_name": name,
        "kakaoauth_initial": initial(name),
        "nickname": user.nickname,
        "email": user.email,
        "profile_image": user.profile_image,
        "csrf_token": csrf_token(),
    }
