"""Parts of pages that are the same for everybody, rendered once for each language and place of the site.

Such a part is a template in `kakaoauth/parts/`, which reads the owner's settings and no more of a request than its
language, host and script name.
"""

from operator import itemgetter
from pathlib import Path

from flask import current_app, g, request
from jinja2 import Environment
from markupsafe import Markup

from kakaoauth import translation

#: Where an app keeps them, by what they depend on.
KEPT = "kakaoauth_parts"
#: Of each app: two languages, on the few hosts and script names that it has. Beyond, somebody is making hosts up.
MOST = 50
#: Settings that the parts show. They may change while the app runs, as they do in a host's tests.
SHOWN = itemgetter(
    *("KAKAOAUTH_SITE_NAME", "KAKAOAUTH_SITE_DESCRIPTION", "KAKAOAUTH_SITE_LOGO", "KAKAOAUTH_ACCENT_COLOR"),
    *("KAKAOAUTH_TERMS_URL", "KAKAOAUTH_PRIVACY_URL", "KAKAOAUTH_CONTACT", "KAKAOAUTH_FOOTER"),
    *("KAKAOAUTH_STYLE_SHEETS", "KAKAOAUTH_SCRIPTS"),
)


class Parts(dict[str, Markup]):
    """Parts by name, each rendered when it is first asked for."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment

    def __missing__(self, name: str) -> Markup:
        """Render a part. :raises TemplateNotFound: there is none of that name."""
        found = self[name] = Markup(self._environment.get_template(f"kakaoauth/parts/{name}.html").render())  # noqa: S704
        return found


def parts() -> Parts:
    """Return the parts for this request."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if app.jinja_env.auto_reload:  # somebody is at work on the templates
        return Parts(app.jinja_env)
    environ, config = request.environ, app.config
    logo = config.get("KAKAOAUTH_LOGO_FILE")
    key = (
        translation.language(),
        *(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), environ.get("SERVER_NAME"), environ.get("SCRIPT_NAME")),
        bool(g.get("bare_page")),
        *SHOWN(config),
        logo and Path(logo).stat().st_mtime_ns,
        config.get("FACEBOOK_CLIENT_ID"),
    )
    kept: dict[tuple[object, ...], Parts] = app.extensions.setdefault(KEPT, {})
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST:
            kept.clear()
        found = kept[key] = Parts(app.jinja_env)
    return found
