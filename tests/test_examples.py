"""The examples: their own tests pass, they use nothing that is not public, and what they say of themselves is true."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import run_program

import kakaoauth

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
NAMES = ("bookclub", "existing")
#: What a host may import from below the package root.
PUBLIC_MODULES = {"testing"}
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "instance")


def copy(name: str, to: Path) -> Path:
    """The example as somebody has it: in a folder of its own."""
    return Path(shutil.copytree(EXAMPLES / name, to / name, ignore=NOT_COPIED))


def kept_environ() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}


def run_without_us(folder: Path, *arguments: str) -> str:
    """Run Python there, where nothing of ours can be imported."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept_environ(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_examples_own_tests_pass(name: str, tmp_path: Path) -> None:
    done = run_program(
        *("pytest", "-q", "-p", "no:cacheprovider"),
        env={**kept_environ(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=copy(name, tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[0-9]+ passed", done.stdout, re.MULTILINE)
    assert "skipped" not in done.stdout


# What they are made of


def python_files() -> list[Path]:
    return [path for path in sorted(EXAMPLES.rglob("*.py")) if "migrations" not in path.parts]


def imported(path: Path) -> set[str]:
    """What is imported of kakaoauth, by its name there; "module.name" for what lies in a module of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[2] for alias in node.names if alias.name.split(".")[0] == "kakaoauth"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kakaoauth":
            module = (node.module or "").partition(".")[2]
            found |= {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
    return found


@pytest.mark.parametrize("path", python_files(), ids=lambda path: path.name)
def test_examples_import_public_names_only(path: Path) -> None:
    assert imported(path) <= {*kakaoauth.__all__, *PUBLIC_MODULES}


def test_bookclub_is_short() -> None:
    app = (EXAMPLES / "bookclub" / "bookclub.py").read_text().splitlines()
    assert len(app) <= 130
    assert imported(EXAMPLES / "bookclub" / "bookclub.py")


# The difference that the existing shop's page shows


def difference() -> dict[str, list[list[str]]]:
    """File -> its hunks, each a list of lines with their mark in front."""
    (text,) = re.findall(r"^```diff\n(.*?)^```", (EXAMPLES / "existing" / "README.md").read_text(), re.M | re.S)
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("+++ b/"):
            hunks = found[line.removeprefix("+++ b/")] = []
        elif line.startswith("@@"):
            hunks.append([])
        elif not line.startswith("--- "):
            hunks[-1].append(line)
    return found


def undo(folder: Path) -> None:
    """Take the difference out of the files, which fails where it is not what stands there."""
    for name, hunks in difference().items():
        text = (folder / name).read_text()
        for hunk in hunks:
            after = "".join(f"{line[1:]}\n" for line in hunk if line[:1] != "-")
            before = "".join(f"{line[1:]}\n" for line in hunk if line[:1] != "+")
            assert text.count(after) == 1, f"examples/existing/README.md: {name} has not these lines once:\n{after}"
            text = text.replace(after, before)
        (folder / name).write_text(text)


#: The shop of the time before, used a little.
BEFORE = """
import sys
from werkzeug.security import generate_password_hash
from shop import create_app

password_hash = generate_password_hash("a password")
app = create_app({"SECRET_KEY": "any", "WTF_CSRF_ENABLED": False, "ADMIN_PASSWORD_HASH": password_hash})
client = app.test_client()
client.post("/cart/green/")
assert "in the cart: 1" in client.get("/").text
assert "1 × Green tea" in client.get("/checkout/").text
assert "Stock" in client.post("/admin/", data={"password": "a password"}).text
assert "We have no such page." in client.get("/nowhere/").text
assert not [name for name in sys.modules if name.startswith("kakaoauth")]
"""


def test_difference_in_the_shops_page_is_what_makes_it_a_shop_with_kakao_login(tmp_path: Path) -> None:
    lines = [line for hunks in difference().values() for hunk in hunks for line in hunk]
    assert not [line for line in lines if line.startswith("-")]
    assert len([line for line in lines if line.startswith("+")]) <= 10
    shop = copy("existing", tmp_path)
    undo(shop)
    for path in (shop / "shop.py", *(shop / "templates").iterdir()):
        assert "kakao" not in path.read_text().lower(), f"{path.name} has more than the page shows"
    (shop / "try_it.py").write_text(BEFORE)
    run_without_us(shop, "try_it.py")
