"""The owner's look: what templates show of it, and the files made from the settings: colours, logo, icons, manifest."""

import json
from functools import cache, lru_cache
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Flask, Response, abort, current_app, make_response, send_file, url_for
from flask.typing import ResponseReturnValue

from kakaoauth.config import colours
from kakaoauth.config.brand import PICTURES, footer_lines, read_policy, sources_of
from kakaoauth.translation import gettext
from kakaoauth.web import static_files
from kakaoauth.web.addresses import path_to
from kakaoauth.web.mounting import home

#: Icons by name. A file of that name in INSTANCE_PATH is the owner's, and is taken instead of ours.
ICONS = ("favicon.ico", "icon.svg", "icon-180.png", "icon-192.png", "icon-512.png")
DAY = 86400

policy_settings = itemgetter("KAKAOAUTH_CSP", "KAKAOAUTH_STYLE_SHEETS", "KAKAOAUTH_SCRIPTS")


class Contact(NamedTuple):
    """`href` is empty where the text is no address."""

    text: str
    href: str


class Site:
    """What a template shows of the owner's settings: `kakaoauth.site`."""

    @property
    def name(self) -> str:
        """What the site is called."""
        return str(current_app.config["KAKAOAUTH_SITE_NAME"])

    @property
    def description(self) -> str:
        """One sentence: the owner's, or one in the visitor's language, as search engines want one."""
        return str(current_app.config["KAKAOAUTH_SITE_DESCRIPTION"] or gettext("Sign in with one tap"))

    @property
    def logo(self) -> str:
        """The picture's address; empty if there is none."""
        file = current_app.config.get("KAKAOAUTH_LOGO_FILE")
        if file is None:
            return str(current_app.config["KAKAOAUTH_SITE_LOGO"])
        return path_to("kakaoauth.files.logo", mark=_mark_of_file(file, Path(file).stat().st_mtime_ns))

    @property
    def terms(self) -> str:
        """Address of the terms of use; may be empty."""
        return str(current_app.config["KAKAOAUTH_TERMS_URL"])

    @property
    def privacy(self) -> str:
        """Address of the privacy policy; may be empty."""
        return str(current_app.config["KAKAOAUTH_PRIVACY_URL"])

    @property
    def contact(self) -> Contact | None:
        """Whom to turn to."""
        text = str(current_app.config["KAKAOAUTH_CONTACT"])
        return Contact(text, contact_address(text)) if text else None

    @property
    def footer(self) -> list[str]:
        """Lines of plain text."""
        return footer_lines(str(current_app.config["KAKAOAUTH_FOOTER"]))

    @property
    def colours(self) -> str:
        """Address of the style sheet with the accent colour; empty without one."""
        colour = current_app.config["KAKAOAUTH_ACCENT_COLOR"]
        return path_to("kakaoauth.files.colours", mark=_mark(_sheet(colour).encode())) if colour else ""

    @property
    def style_sheets(self) -> tuple[str, ...]:
        """The owner's own."""
        return tuple(current_app.config["KAKAOAUTH_STYLE_SHEETS"])

    @property
    def scripts(self) -> tuple[str, ...]:
        """The owner's own."""
        return tuple(current_app.config["KAKAOAUTH_SCRIPTS"])

    @property
    def preview(self) -> str:
        """Absolute address of the picture that other sites show beside a link to this one."""
        name = self.logo
        if name.startswith("https://"):
            return name
        return url_for("kakaoauth.files.icon", name="icon-512.png", _external=True)

    @staticmethod
    def icon(name: str) -> str:
        """Address of an icon of ICONS."""
        return path_to("kakaoauth.files.icon", name=name)


def contact_address(text: str) -> str:
    """Return the link for an address: mailto:, tel: or the address itself; empty for other texts."""
    if text.startswith("https://"):
        return text
    if " " not in text and text.count("@") == 1:
        return f"mailto:{text}"
    digits = "".join(char for char in text if char.isdigit() or char == "+")
    return f"tel:{digits}" if len(digits) > 6 and not text.strip("+-.() 0123456789") else ""


def init_blueprint(bp: Blueprint) -> None:
    """Add the addresses, which begin with the blueprint's."""
    bp.add_url_rule("/colours.<mark>.css", "colours", colours_sheet)
    bp.add_url_rule("/logo.<mark>", "logo", logo)
    bp.add_url_rule("/icons/<name>", "icon", icon)
    bp.add_url_rule("/site.webmanifest", "manifest", manifest)


def init_app(app: Flask) -> None:
    """Add what browsers and search engines look for at the top of a site. A host has its own."""
    app.add_url_rule("/favicon.ico", "favicon", lambda: icon("favicon.ico"))
    app.add_url_rule("/robots.txt", "robots", robots)


def colours_sheet(mark: str) -> ResponseReturnValue:
    """Send the accent's colours as variables, which style.css uses."""
    if not (colour := current_app.config["KAKAOAUTH_ACCENT_COLOR"]):
        abort(404)
    return _kept(make_response(_sheet(colour), 200, {"Content-Type": "text/css; charset=utf-8"}), static_files.YEAR)


def logo(mark: str) -> ResponseReturnValue:
    """Send the logo."""
    file = current_app.config.get("KAKAOAUTH_LOGO_FILE")
    if file is None or not Path(file).is_file():
        abort(404)
    return _kept(send_file(file, mimetype=PICTURES[Path(file).suffix.lower()]), static_files.YEAR)


def icon(name: str) -> ResponseReturnValue:
    """Send an icon: the owner's, or ours."""
    if name not in ICONS:
        abort(404)
    own = Path(current_app.config["INSTANCE_PATH"]) / name
    kinds = {".ico": "image/x-icon", ".svg": "image/svg+xml", ".png": "image/png"}
    return _kept(send_file(own if own.is_file() else static_files.FOLDER / name, mimetype=kinds[own.suffix]), DAY)


def manifest() -> ResponseReturnValue:
    """Send the web app manifest (W3C): how a phone shows the site on its home screen."""
    site = Site()
    colour = current_app.config["KAKAOAUTH_ACCENT_COLOR"]
    own = current_app.config["KAKAOAUTH_SITE_DESCRIPTION"]  # browsers keep this file whatever their language
    sizes = {"icon-192.png": "192x192", "icon-512.png": "512x512"}
    said = {
        "name": site.name,
        "short_name": site.name[:12],
        **({"description": own} if own else {}),
        "start_url": home(),
        "display": "minimal-ui",
        "background_color": "#ffffff",
        "theme_color": colours.light(colours.read(colour)).fill if colour else "#ffffff",
        "icons": [{"src": site.icon(name), "sizes": size, "type": "image/png"} for name, size in sizes.items()],
    }
    text = json.dumps(said, ensure_ascii=False)
    return _kept(make_response(text, 200, {"Content-Type": "application/manifest+json"}), DAY)


def robots() -> ResponseReturnValue:
    """Keep search engines from what begins a login, and from what is for programs.

    Pages of one person need no line here: they send a stranger to the first page. A line would only name them.
    """
    kept_out = ("/*/login/", "/webhooks/", "/api/")
    text = "\n".join(["User-agent: *", *(f"Disallow: {path}" for path in kept_out), "Allow: /api/docs/", ""])
    return _kept(make_response(text, 200, {"Content-Type": "text/plain; charset=utf-8"}), DAY)


def policy(given: str, style_sheets: tuple[str, ...], scripts: tuple[str, ...]) -> dict[str, list[str]]:
    """Return what the owner's `policy_settings` add to the Content-Security-Policy, as sources by directive."""
    found = read_policy(given)
    for directive, addresses in (("style-src", style_sheets), ("script-src", scripts)):
        found[directive] = [*found.get(directive, []), *sources_of(addresses)]
    return found


@cache
def _sheet(colour: str) -> str:
    read = colours.read(colour)
    light, dark = colours.light(read), colours.dark(read)
    lines = [
        f"--kakaoauth-site-{name}-{scheme}: {value};"
        for scheme, accent in (("light", light), ("dark", dark))
        for name, value in (("accent", accent.accent), ("fill", accent.fill), ("on-fill", accent.on_fill))
    ]
    return f":root {{ {' '.join(lines)} }}\n"


@lru_cache(maxsize=10)
def _mark_of_file(file: str, _changed: int) -> str:
    return _mark(Path(file).read_bytes())


def _mark(content: bytes) -> str:
    return sha256(content).hexdigest()[: static_files.FINGERPRINT_LENGTH]


def _kept(response: Response, seconds: int) -> Response:
    response.cache_control.public = True
    response.cache_control.max_age = seconds
    response.cache_control.no_cache = None
    return response
