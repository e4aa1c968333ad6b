"""What staff write down: notes, tags, saved filters; and the list's filters by what is written down."""

import re
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from support import csrf_token
from support.terms import TERMS

from kakaoauth.accounts import erasing, leaving
from kakaoauth.accounts.notes import MOST_TAGS, StaffNote, UserTag, set_tags
from kakaoauth.accounts.saved_filters import MOST, SavedFilter
from kakaoauth.config.terms import read as read_terms
from kakaoauth.models import Identity, User
from kakaoauth.storage.columns import now
from kakaoauth.storage.database import db
from kakaoauth.terms.consents import Consent

ClientAs = Callable[[str], FlaskClient]
People = dict[str, int]
ENGLISH = {"Accept-Language": "en"}


def send(client: FlaskClient, address: str, **form: str) -> int:
    return client.post(address, data={"csrf_token": csrf_token(client), **form}).status_code


def shown(client: FlaskClient, query: str) -> list[str]:
    return sorted(re.findall(r'class="name" href="[^"]+">(\w+)<', client.get(f"/users/?{query}").text))


def test_note_is_seen_by_staff_alone_and_removed_by_its_author_or_a_superuser(
    client_as: ClientAs, people: People
) -> None:
    minji, sora, hana = (client_as(name) for name in ("minji", "sora", "hana"))
    page = f"/users/{people['minji']}/"
    assert send(sora, f"{page}notes/", text='called us <b>"twice"</b>') == 302
    assert send(hana, f"{page}notes/", text="second") == 302
    assert "called us &lt;b&gt;" in sora.get(page).text
    assert "called us" not in minji.get("/users/me/").text
    assert send(minji, f"{page}notes/", text="me too") == 403
    first, second = re.findall(r"notes/(\d+)/remove", hana.get(page).text)[::-1]
    assert send(sora, f"{page}notes/{second}/remove/") == 404
    assert send(hana, f"{page}notes/{first}/remove/") == 302
    assert "called us" not in sora.get(page).text
    assert send(sora, f"{page}notes/", text="x" * 1001) == 302
    assert "x" * 50 not in sora.get(page).text
    assert send(sora, "/users/999999/notes/", text="nobody") == 404


def test_each_action_says_what_happened(client_as: ClientAs, people: People) -> None:
    sora = client_as("sora")
    page = f"/users/{people['minji']}/"
    for address, form, told in (
        (f"{page}notes/", {"text": "called"}, "The note is added."),
        (f"{page}tags/", {"tags": "vip"}, "The tags are saved."),
        ("/users/filters/?role=staff", {"name": "Ours"}, "The filter is saved: Ours"),
    ):
        sora.post(address, data={"csrf_token": csrf_token(sora), **form}, headers=ENGLISH)
        assert told in sora.get(page, headers=ENGLISH).text
        assert told not in sora.get(page, headers=ENGLISH).text


def test_tags_are_kept_clean_and_found(app: Flask, client_as: ClientAs, people: People) -> None:
    sora = client_as("sora")
    page = f"/users/{people['minji']}/"
    assert send(sora, f"{page}tags/", tags="VIP, v\0ip,  press  list ,\0") == 302
    with app.app_context():
        assert sorted(db.session.scalars(db.select(UserTag.tag))) == ["press list", "vip"]
    assert shown(sora, "tag=Vip") == shown(sora, "tag=v%00ip") == ["minji"]
    assert shown(sora, "tag=press") == []
    assert ">vip</span>" in sora.get("/users/").text
    send(sora, f"{page}tags/", tags=",".join(map(str, range(MOST_TAGS + 1))))
    assert shown(sora, "tag=vip") == ["minji"]
    send(sora, f"{page}tags/", tags="")
    assert shown(sora, "tag=vip") == []


def test_what_is_written_goes_with_the_account(app: Flask, client_as: ClientAs, people: People) -> None:
    sora = client_as("sora")
    for name in ("minji", "gone"):
        send(sora, f"/users/{people[name]}/notes/", text="a note")
        send(sora, f"/users/{people[name]}/tags/", tags="vip")
    with app.app_context():
        assert leaving.delete_user(people["minji"])
        erasing._empty(people["gone"])  # the row stays, where another table refers to it
        db.session.commit()
        assert db.session.query(StaffNote).count() == db.session.query(UserTag).count() == 0


def test_lists_are_filtered_by_last_login_email_and_connected_provider(
    app: Flask, client_as: ClientAs, people: People
) -> None:
    sora = client_as("sora")
    with app.app_context():
        minji, hana = (db.session.get(User, people[name]) for name in ("minji", "hana"))
        assert minji
        assert hana
        minji.last_login, hana.last_login = now() - timedelta(days=90), now()
        minji.set_email(None)
        db.session.add(Identity(provider="naver", subject="5", user_id=people["hana"]))
        db.session.commit()
    day = (now() - timedelta(days=30)).date().isoformat()
    assert shown(sora, f"login_until={day}") == shown(sora, f"login_until={day}&sort=-last_login") == ["minji"]
    assert "hana" in shown(sora, f"login_from={day}&sort=last_login")
    assert "minji" not in shown(sora, f"login_from={day}")
    assert "minji" in shown(sora, "email=none")
    assert "hana" not in shown(sora, "email=none")
    assert shown(sora, "linked=naver") == ["hana"]
    assert shown(sora, "linked=naver&email=none") == []
    assert set(shown(sora, "linked=myspace&email=x&login_from=x")) >= {"minji", "hana", "sora"}


def test_list_is_filtered_by_what_people_agree_to_today(app: Flask, client_as: ClientAs, people: People) -> None:
    sora = client_as("sora")
    assert 'name="consent"' not in sora.get("/users/").text
    app.config["KAKAOAUTH_TERMS"] = read_terms(TERMS)
    with app.app_context():
        for name, version, withdrawn in (
            ("minji", "2026-01", None),
            ("hana", "2025-01", None),
            ("gone", "2026-01", now()),
        ):
            row = Consent(user_id=people[name], term="tos", version=version, withdrawn_at=withdrawn, source="page")
            db.session.add(row)
        db.session.commit()
    assert shown(sora, "consent=tos") == shown(sora, "consent=tos&sort=email") == ["minji"]
    assert {"hana", "gone"} <= set(shown(sora, "consent=-tos")) == set(shown(sora, "consent=-tos&sort=email"))
    assert "minji" not in shown(sora, "consent=-tos")
    assert '<option value="-tos" selected>' in sora.get("/users/?consent=-tos").text
    assert shown(sora, "consent=news") == shown(sora, "consent=tos&consent=news&email=none") == []
    assert set(shown(sora, "consent=none-such")) >= {"minji", "hana", "sora"}


def test_filters_are_saved_for_oneself(app: Flask, client_as: ClientAs, people: People) -> None:
    sora, hana = client_as("sora"), client_as("hana")
    assert send(sora, "/users/filters/?state=suspended&sort=email&x=1", name="Out") == 302
    assert send(sora, "/users/filters/?state=suspended", name="Out") == 302  # in its place
    page = sora.get("/users/").text
    (address,) = re.findall(r'<a href="(/users/\?state[^"]*)">Out</a>', page)
    assert address == "/users/?state=suspended"
    assert "Out</a>" not in hana.get("/users/").text
    (number,) = re.findall(r"filters/(\d+)/remove", page)
    send(hana, f"/users/filters/{number}/remove/")
    assert "Out</a>" in sora.get("/users/").text
    send(sora, f"/users/filters/{number}/remove/")
    assert "Out</a>" not in sora.get("/users/").text
    for count in range(MOST + 2):
        send(sora, "/users/filters/?role=staff", name=f"f{count}")
    send(sora, "/users/filters/", name="everybody")
    with app.app_context():
        assert db.session.query(SavedFilter).count() == MOST
        assert set_tags(people["minji"], ["vip"], by=people["sora"])
