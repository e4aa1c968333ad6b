"""Checks of KAKAOAUTH_TERMS that ask nobody: whether its addresses and tags can be meant."""

from urllib.parse import urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from kakaoauth.cli.doctor.findings import Report
from kakaoauth.config.checks import is_loopback
from kakaoauth.config.terms import Term
from kakaoauth.translation import gettext

CHECK = "settings.terms"


def check(app: Flask, report: Report) -> None:
    """Check the terms of the settings."""
    terms: tuple[Term, ...] = app.config["KAKAOAUTH_TERMS"]
    if not terms:
        report.ok(CHECK, gettext("not set: no sign-up step"))
        return
    urls = list(dict.fromkeys(url for term in terms for url in term.urls.values()))
    plain = [url for url in urls if _is_plain_http(url)]
    missing = [url for url in urls if url.startswith("/") and not _is_page(app, url)]
    tagged = [term.id for term in terms if term.tag]
    if plain:
        cure = gettext("Use addresses that begin with https://.")
        report.warn(CHECK, cure, gettext("%(items)s: no https", items=", ".join(plain)))
    elif missing:
        cure = gettext("Correct the address, or add the page.")
        report.warn(CHECK, cure, gettext("%(items)s: no page of this site has that address", items=", ".join(missing)))
    elif tagged and not any(term.required for term in terms if term.tag):
        cure = gettext("Give a required term the tag that it has in Kakao Sync.")
        seen = gettext("%(items)s have a tag, but no required one: Kakao shows no terms then", items=", ".join(tagged))
        report.warn(CHECK, cure, seen)
    else:
        report.ok(CHECK, gettext("%(number)s terms", number=len(terms)))


def _is_plain_http(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname)


def _is_page(app: Flask, url: str) -> bool:
    try:
        app.url_map.bind("localhost").match(urlsplit(url).path, method="GET")
    except RequestRedirect:
        return True
    except HTTPException:
        return False
    return True
