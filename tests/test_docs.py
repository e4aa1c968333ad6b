"""What the documents say is what the code does: settings, commands, links, the Korean words."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo

from kakaoauth.config.settings import NAMES, SITE_NAMES, Settings
from kakaoauth.providers.kakao.errors import KOE

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])
#: Pages that exist in both languages.
IN_BOTH = [
    *("settings", "commands", "production", "building-on-it", "kakao-setup"),
    *("operations", "doctor", "webhooks", "security", "branding", "terms", "capacity"),
]
TWINS = [
    ("README.md", "README.ko.md"),
    *((f"docs/{name}.md", f"docs/{name}.ko.md") for name in IN_BOTH),
    ("examples/bookclub/README.md", "examples/bookclub/README.ko.md"),
]
SETTINGS, COMMANDS, PRODUCTION, _BUILDING, GUIDES = TWINS[1:6]

FENCE = re.compile(r"^```.*?^```[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
SETTING_ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]+?) \|", re.MULTILINE)
COMMAND = re.compile(r"flask --app wsgi +([^`\n]+)")


def read(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Without code, in which `](` and `#` mean other things."""
    return CODE.sub("", FENCE.sub("", text))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


# Settings


def shown(name: str) -> str:
    """A default as the tables write it."""
    default = getattr(Settings, name)
    if name == "INSTANCE_PATH":
        return f"`{Path(default).relative_to(ROOT).as_posix()}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return "`" + str(default).removesuffix(".0") + "`"
    return f"`{default}`" if default else "–"


@pytest.mark.parametrize("page", SETTINGS)
def test_settings_table_is_config(page: str) -> None:
    assert SETTING_ROW.findall(read(page)) == [(name, shown(name)) for name in NAMES]


@pytest.mark.parametrize("page", SETTINGS)
def test_settings_page_says_what_becomes_of_the_sites_in_a_hosts_app(page: str) -> None:
    items = "".join(re.findall(r"^- (`[^:]+`): ", read(page), re.MULTILINE))
    assert sorted(re.findall(r"`([A-Z_]+)`", items)) == sorted(SITE_NAMES)


@each_document
def test_settings_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"`((?:KAKAO|SESSION|STAFF|TRUSTED|FRONTEND|SANDBOX)_[A-Z_]+)(?:=[^`]*)?`", read(document)))
    assert named <= set(NAMES)


# Commands


def commands_in(document: Path) -> list[str]:
    return [found.strip() for found in COMMAND.findall(read(document))]


@pytest.fixture
def find_command(app: Flask) -> Iterator[Any]:
    """Flask's own group, so that commands of extensions (`db`) count as well."""
    group = FlaskGroup(create_app=lambda: app)
    with click.Context(group, info_name="flask", obj=ScriptInfo(create_app=lambda: app)) as context:
        yield lambda parent, word: (parent or group).get_command(context, word)


@each_document
def test_commands_exist(document: Path, find_command: Any) -> None:
    for line in commands_in(document):
        command: click.Command | None = None
        words = line.split()
        while words and (command is None or isinstance(command, click.Group)):
            word = words.pop(0)
            if word == "..." and command is not None:
                break
            command = find_command(command, word)
            assert command is not None, f"{name_of(document)}: flask --app wsgi {line}: there is no {word}"
        known = {option for parameter in command.params for option in parameter.opts} if command else set()
        unknown = {word.split("=")[0] for word in words if word.startswith("-")} - known - {"--help"}
        assert not unknown, f"{name_of(document)}: flask --app wsgi {line}: there is no {unknown}"


@pytest.mark.parametrize("page", COMMANDS)
def test_page_of_commands_names_commands(page: str) -> None:
    assert commands_in(ROOT / page), "the pattern above finds nothing any more"


@each_document
def test_make_targets_exist(document: Path) -> None:
    text = read(document)
    blocks = "\n".join(FENCE.findall(text))
    named = set(re.findall(r"`make ([a-z-]+)`", text)) | set(re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)) if named else set()
    assert named <= targets


# The list of files


#: Folders of which the list has the name only.
WITHOUT_INSIDE = {"migrations", "translations", "static", "front_end"}
#: A folder of which the list has the folders only.
FOLDERS_ONLY = "sandbox"
PACKAGE = ROOT / "kakaoauth"


def listed_files(text: str) -> list[str]:
    """The paths of the indented list, folders with a slash at the end."""
    (block,) = re.findall(r"^```\nkakaoauth/\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found: list[str] = []
    above: list[str] = []
    for line in block.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[: depth - 1], name]
        found.append("".join(above))
    return found


def files_of_the_package() -> set[str]:
    """As the list should have them: a folder's line stands for its `__init__.py`."""
    found = {"__init__.py"}
    for path in PACKAGE.rglob("*"):
        parts = path.relative_to(PACKAGE).parts
        if "__pycache__" in parts or WITHOUT_INSIDE & set(parts[:-1]):
            continue
        if path.is_dir():
            found.add("/".join(parts) + "/")
        elif path.suffix == ".py" and path.name != "__init__.py" and parts[0] != FOLDERS_ONLY:
            found.add("/".join(parts))
    return found


def test_list_of_files_is_the_tree() -> None:
    listed = listed_files(read("docs/architecture.md"))
    assert len(listed) == len(set(listed))
    missing, gone = files_of_the_package() - set(listed), set(listed) - files_of_the_package()
    assert not missing, f"docs/architecture.md, Files: add a line for {sorted(missing)}"
    assert not gone, f"docs/architecture.md, Files: remove {sorted(gone)}"


def test_functions_that_the_architecture_names_exist() -> None:
    named = re.findall(r"`(?:kakaoauth/)?([a-z_/]+\.py):(\w+)`", read("docs/architecture.md"))
    assert len(named) > 50, "the pattern finds nothing any more"
    for path, name in named:
        nodes = ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8")))
        defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert name in defined, f"docs/architecture.md names {path}:{name}, which is not there"


# Tables


def broken_tables(text: str) -> list[str]:
    """Rows that no table holds, and rows with more or fewer cells than their head."""
    found: list[str] = []
    width = 0
    lines = FENCE.sub("", text).split("\n")
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        if not line.startswith("|"):
            continue
        cells = re.sub(r"\\\\|`[^`]*`|\\\|", "", line).count("|")
        if not before.startswith("|"):
            width = cells
            if not re.fullmatch(r"[|:\- ]+", after):
                found.append(f"a row without a head: {line[:60]}")
        elif cells != width:
            found.append(f"{cells - 1} cells instead of {width - 1}: {line[:60]}")
    return found


@each_document
def test_tables_are_whole(document: Path) -> None:
    assert not broken_tables(read(document))


def test_broken_tables_are_noticed() -> None:
    whole = "| a | b |\n|---|---|\n| `x\\|y` | 2 |\n"
    assert not broken_tables(whole)
    assert broken_tables(whole + "\n| c | d |\n")
    assert broken_tables(whole + "| c |\n")


# Links


def anchors_of(text: str) -> set[str]:
    """Headings' anchors as GitHub makes them."""
    found: set[str] = set()
    for _level, title in HEADING.findall(FENCE.sub("", text)):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


@each_document
def test_links_and_pictures_resolve(document: Path) -> None:
    for target in (a or b for a, b in LINK.findall(prose(read(document)))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.is_relative_to(ROOT), f"{target} leads out of the project"
        assert file.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors_of(file.read_text(encoding="utf-8")), f"{target}: no such heading"


# Twins


@pytest.mark.parametrize(("english", "korean"), TWINS)
def test_twins_have_the_same_shape(english: str, korean: str) -> None:
    def levels(name: str) -> list[int]:
        return [len(level) for level, _title in HEADING.findall(FENCE.sub("", read(name)))]

    def lines(name: str) -> list[str]:
        """Of each row of a table and each item of a list, its beginning."""
        return re.findall(r"^(?:\||- |[0-9]+\. )", FENCE.sub("", read(name)), re.MULTILINE)

    assert levels(english) == levels(korean)
    assert lines(english) == lines(korean)
    assert FENCE.findall(read(english)) == FENCE.findall(read(korean))


@pytest.mark.parametrize(("english", "korean"), TWINS)
def test_twins_point_at_each_other_at_the_top(english: str, korean: str) -> None:
    assert f"({Path(korean).name})" in read(english)[:300]
    assert f"({Path(english).name})" in read(korean)[:300]


#: 해요, 있어요, 보세요, 하죠 ... but not 필요 or 아니요.
POLITE_ENDING = r"[가-힣]*(?:[가꿔나려봐서세써아어에여예와워져줘해돼]요|죠)(?![가-힣])"


@pytest.mark.parametrize("korean", [korean for _english, korean in TWINS])
def test_korean_pages_keep_one_register(korean: str) -> None:
    """합니다체 throughout; what stands in quotation marks is a text of the site, which speaks 해요체."""
    text = re.sub(r"\"[^\"\n]*\"", "", prose(read(korean)))
    assert re.findall(POLITE_ENDING, text) == []


#: What each step of the console is known by, in both languages.
STEPS = (
    "",
    *("KAKAO_CLIENT_ID", "/kakao/login/callback/", "KAKAO_CLIENT_SECRET", "KOE004", "OpenID Connect"),
    *("account_email", "/webhooks/kakao/unlink/", "/kakao/logout/callback/"),
)


@pytest.mark.parametrize("language", [0, 1], ids=["english", "korean"])
def test_production_page_and_guide_number_the_same_steps_the_same_way(language: int) -> None:
    rows = re.findall(r"^\| ([0-9]+)\. (.*)", read(PRODUCTION[language]), re.MULTILINE)
    sections = re.findall(r"^## ([0-9]+)\. (.*?)(?=^## )", read(GUIDES[language]), re.MULTILINE | re.DOTALL)
    numbers = [str(number) for number, _ in enumerate(STEPS, 1)]
    assert [number for number, _ in rows] == [number for number, _ in sections] == numbers
    for mark, (number, row), (_, section) in zip(STEPS, rows, sections, strict=True):
        assert mark in row, f"{PRODUCTION[language]}, step {number}"
        assert mark in section, f"{GUIDES[language]}, step {number}"


@pytest.mark.parametrize(("code", "step"), [("KOE006", 3), ("KOE007", 9), ("KOE010", 4), ("KOE205", 7)])
@pytest.mark.parametrize("language", [0, 1], ids=["english", "korean"])
def test_table_of_codes_names_the_step_that_cures(code: str, step: int, language: int) -> None:
    (row,) = re.findall(rf"^\| {code} \|.*", read(GUIDES[language]), re.MULTILINE)
    assert re.findall(r"[Ss]tep ([0-9])|([0-9])단계", row) == [(str(step), "") if language == 0 else ("", str(step))]


@pytest.mark.parametrize("guide", GUIDES)
def test_codes_in_the_guide_are_those_the_code_knows(guide: str) -> None:
    rows = re.findall(r"^\| (KOE[0-9]{3}) \|", read(guide), re.MULTILINE)
    assert rows == sorted(set(rows))
    assert set(rows) <= set(KOE)
    assert rows == re.findall(r"^\| (KOE[0-9]{3}) \|", read(GUIDES[0]), re.MULTILINE)


# Korean


CATALOGUE = ROOT / "kakaoauth/translations/ko/LC_MESSAGES/messages.po"
METHODS = [("kakaoauth/**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "kakaoauth_": None}
CURE = "`make translations` compiles messages.po"


def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="ko")


def test_compiled_catalogue_is_up_to_date() -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue())
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled.getvalue(), CURE


def test_every_text_has_its_korean() -> None:
    known = catalogue()
    wanted = {}
    for folder in ("kakaoauth", "templates"):
        # Paths are matched as `<folder>/...`, as from the root.
        methods = [(pattern.removeprefix(f"{folder}/"), how) for pattern, how in METHODS if pattern.startswith(folder)]
        for file, line, text, _comments, _context in extract_from_dir(ROOT / folder, methods, keywords=KEYWORDS):
            wanted[text] = f"{folder}/{file}:{line}"
    assert len(wanted) > 50, "the extraction finds nothing any more"
    missing = {text: where for text, where in wanted.items() if text not in known or not known[text].string}
    assert not missing


def test_no_korean_is_fuzzy_or_loses_a_placeholder() -> None:
    known = catalogue()
    assert [message.id for message in known if message.id and message.fuzzy] == []
    assert [message.id for message, _errors in known.check()] == []
    for message in known:
        if message.id and "%(" in str(message.id):
            assert set(re.findall(r"%\(\w+\)s", message.string)) == set(re.findall(r"%\(\w+\)s", message.id))
