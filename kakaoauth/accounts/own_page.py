"""What one's own page shows of a person, as finished texts (`web.pieces`)."""

from datetime import datetime
from typing import Any

from flask import render_template
from markupsafe import Markup, escape

from kakaoauth import providers
from kakaoauth.accounts import devices, ways_in
from kakaoauth.accounts.devices import Device
from kakaoauth.audit import labels, search
from kakaoauth.audit.labels import Line
from kakaoauth.models import Identity, User
from kakaoauth.terms import own as own_consents
from kakaoauth.translation import lazy_gettext
from kakaoauth.web import personal_pages
from kakaoauth.web.pieces import Pieces, pieces, together
from kakaoauth.web.template_helpers import ago, day, moment, network, way_out

_ = lazy_gettext

#: Recent events on the page.
EVENTS = 10
#: Any other is not shown.
GENDERS: dict[str, Any] = {"female": _("female"), "male": _("male")}


def cards(user: User) -> Markup:
    """Return all that stands on the page, in any layout."""
    found, (identities, events) = devices.own(ways_in.identities_of(user), search.own(user.id, EVENTS))
    linked = {identity.provider for identity in identities}
    linkable = [provider.name for provider in providers.all_providers() if provider.name not in linked]
    may_unlink = len(identities) > 1 or bool(user.is_superuser and user.password_hash)
    lines = labels.own_lines(search.newest(events, EVENTS), user.id)
    kept, whose = pieces(), personal_pages.of(user)
    token = escape(whose["csrf_token"])  # once for all rows
    return kept.fill(
        "kakaoauth/account/_cards.html",
        ("provider", way_out(user)),
        **whose,
        profile=profile(user, kept),
        ways=together(
            [
                *(_way(kept, token, one.provider, one, may_unlink=may_unlink) for one in identities),
                *(_way(kept, token, name) for name in linkable),
            ]
        ),
        may_link=bool(linkable),
        alarms=together([_alarm(kept, at, app) for at, app in found.alarms]),
        devices=together([_device(kept, token, one) for one in found.listed]),
        number=str(len(found.listed)),
        may_end=found.can_end,
        may_end_others=found.can_end and len(found.listed) > 1,
        is_cut=found.is_cut,
        events=together([_event(kept, line) for line in lines]),
        consents=_consents(user),
    )


def profile(user: User, kept: Pieces) -> Markup:
    """Return what is known of a person, as a list."""
    return kept.fill(
        "kakaoauth/account/_profile.html",
        email=user.email,
        undeliverable=moment(user.email_undeliverable_at),
        nickname=user.nickname,
        name=user.name,
        age=user.age,
        age_range=user.age_range,
        gender=str(GENDERS.get(user.gender or "", "")),
        joined=day(user.date_joined),
        last_login=ago(user.last_login),
    )


def _way(
    kept: Pieces, token: Markup, name: str, identity: Identity | None = None, *, may_unlink: bool = False
) -> Markup:
    """:param identity: None for a provider that can be connected."""
    return kept.fill(
        "kakaoauth/account/_way.html",
        ("name", name),
        number=identity.id if identity else "",
        day=day(identity.date_linked) if identity else "",
        may_unlink=may_unlink,
        csrf_token=token,
    )


def _alarm(kept: Pieces, at: datetime, app: str) -> Markup:
    return kept.fill("kakaoauth/account/_alarm.html", date=moment(at), app=app)


def _device(kept: Pieces, token: Markup, device: Device) -> Markup:
    return kept.fill(
        "kakaoauth/account/_device.html",
        words=device.words,
        network=network(device.address),
        first_day=day(device.first_seen),
        last_seen=ago(device.last_seen),
        is_app=device.is_app,
        is_here=device.is_here,
        is_phone=device.is_phone,
        handle=device.handle,
        csrf_token=token,
    )


def _event(kept: Pieces, line: Line) -> Markup:
    return kept.fill(
        "kakaoauth/account/_event.html",
        action=line.action,
        is_refused=line.is_refused,
        reason=line.reason,
        browser=line.browser,
        network=network(line.source),
        when=ago(line.at),
    )


def _consents(user: User) -> Markup:
    """Most sites ask for none."""
    lines = own_consents.lines(user.id)
    text = render_template("kakaoauth/account/_consents.html", consents=lines, may_change=True) if lines else ""
    return Markup(text)  # noqa: S704
