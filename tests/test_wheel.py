"""The wheel holds what the project's tree holds, and works where nothing of that tree is."""

import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.concurrency import until
from support.ports import free_ports

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60
#: What a build reads.
SOURCES = ("kakaoauth", "templates", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")
#: Somebody's own site: all that its author writes.
SITE = "from kakaoauth import create_app\n\napp = create_app()\n"


def copy_sources(to: Path) -> Path:
    """A clone as a build finds it: built where it stands, older builds' leftovers would come along."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=NOT_SHIPPED)
        else:
            to.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, to)
    return to


def build(sources: Path, to: Path) -> Path:
    """Build with the setuptools that is installed: no network."""
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--wheel-dir", str(to), str(sources)),
        cwd=sources,
    )
    (wheel,) = to.glob("*.whl")
    return wheel


def run(*command: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=clean_environ(**environ), capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean_environ(**more: str) -> dict[str, str]:
    """Of this process's only what every program needs: no setting of ours, no PYTHONPATH to the tree."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | more


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return build(copy_sources(folder / "clone"), folder / "built")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel, and finds the needs in the one that runs the tests."""
    folder = tmp_path_factory.mktemp("somebody") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
    run(
        *(sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"),
        *("--no-deps", "--no-index", str(wheel)),
        cwd=folder.parent,
    )
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (own / "needs.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder


# What is in it


def files_of(tree: Path) -> set[str]:
    """Under the names that they have in the wheel."""
    found = set()
    for top, place in ((tree / "kakaoauth", "kakaoauth"), (tree / "templates", "kakaoauth/templates")):
        for path in top.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found.add(f"{place}/{path.relative_to(top).as_posix()}")
    return found


def test_wheel_holds_every_file_of_the_tree_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = files_of(ROOT)
    for part in (".html", ".css", ".js", ".mo", ".po", "/py.typed", "versions/0001_people.py"):
        assert any(name.endswith(part) for name in tree), f"no {part} in the tree: the list is not read rightly"
    assert not tree - shipped, "setup.cfg: name the package under `packages`, or its data under `options.package_data`"
    assert not shipped - tree


def test_source_distribution_holds_what_the_wheel_is_built_from(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "clone")
    program = f"import setuptools.build_meta as backend; print(backend.build_sdist({str(tmp_path)!r}))"
    run(sys.executable, "-c", program, cwd=sources)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 has it
        opened.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert files_of(unpacked) == files_of(ROOT)
    assert all((unpacked / name).exists() for name in SOURCES)


def metadata() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def needs(section: str, option: str) -> list[Requirement]:
    return [Requirement(line) for line in metadata()[section][option].splitlines() if line.strip()]


def pins(file: str) -> dict[str, str]:
    """Name -> version, of those that this Python needs."""
    lines = [re.sub(r"#.*", "", line) for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    found = [Requirement(line) for line in lines if "==" in line]
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in found
        if pin.marker is None or pin.marker.evaluate()
    }


def test_needs_are_ranges_around_the_pins_of_the_requirements() -> None:
    pinned = pins("requirements.txt") | pins("requirements-embedded.txt")
    ranges = needs("options", "install_requires") + needs("options.extras_require", "dev")
    assert len(ranges) > 20
    for need in ranges:
        name = canonicalize_name(need.name)
        assert name in pinned, f"setup.cfg wants {need.name}, which no requirements file pins"
        assert need.specifier.contains(pinned[name]), f"{need} in setup.cfg excludes the pin {pinned[name]}"
        assert "==" not in str(need.specifier), f"{need}: a host could not join us with its own pins"


def test_every_pin_is_a_need_or_what_a_need_pulls_in() -> None:
    """Somebody who installs the wheel gets all that the site imports."""
    waiting = needs("options", "install_requires")
    reached: set[str] = set()
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        if name in reached:
            continue
        reached.add(name)
        for line in distribution(name).requires or ():
            further = Requirement(line)
            if not further.marker or any(further.marker.evaluate({"extra": extra}) for extra in ("", *need.extras)):
                waiting.append(further)
    pinned = pins("requirements.txt").keys()
    assert not pinned - reached, "setup.cfg, install_requires: add what the site needs"
    assert not reached - pinned, "requirements.txt: pin what the needs pull in"


# Somebody's site


class Server:
    """A program of somebody's environment, outside the tree."""

    def __init__(self, folder: Path, log: str, *command: str, **environ: str) -> None:
        self.log = folder / log
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, env=clean_environ(**environ), stdout=out, stderr=subprocess.STDOUT
            )

    def serves(self, url: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(url, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def begin(*command: str, **environ: str) -> Server:
        started.append(Server(tmp_path, f"{len(started)}.log", *command, **environ))
        return started[-1]

    yield begin
    for server in started:
        server.end()


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_somebody_logs_in_to_a_site_made_of_the_wheel(
    environment: Path, start: Callable[..., Server], redis_url: str, tmp_path: Path
) -> None:
    programs = environment / "bin"
    (tmp_path / "hello.py").write_text(SITE)
    port, sandbox_port = free_ports(2)
    site, sandbox = f"http://localhost:{port}", f"http://127.0.0.1:{sandbox_port}"
    settings = {"REDIS_URL": redis_url, "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)}
    flask = (str(programs / "python"), "-m", "flask", "--app", "hello")

    where = run(str(programs / "python"), "-c", "import kakaoauth; print(kakaoauth.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(environment)
    run(*flask, "db", "upgrade", cwd=tmp_path, **settings)
    callback = f"{site}/kakao/login/callback/"
    played = start(str(programs / "kakaoauth"), "sandbox", "--port", str(sandbox_port), "--redirect-uri", callback)
    served = start(*flask, "run", "--port", str(port), **settings)
    until(lambda: played.serves(f"{sandbox}/sandbox/api/console"), SECONDS)
    until(lambda: served.serves(f"{site}/healthz"), SECONDS)

    with requests.Session() as browser:
        assert "카카오 로그인" in browser.get(f"{site}/?lang=ko", timeout=SECONDS).text
        chooser = browser.get(f"{site}/kakao/login/?next=/users/me/", timeout=SECONDS).text
        chosen = {"request": hidden(chooser, "request"), "person": "haneul"}
        consent = browser.post(f"{sandbox}/oauth/authorize/person", data=chosen, timeout=SECONDS).text
        agreed = {"request": hidden(consent, "request"), "item": ["account_email"], "decision": "agree"}
        landed = browser.post(f"{sandbox}/oauth/authorize/consent", data=agreed, timeout=SECONDS)
        assert (landed.status_code, landed.url) == (200, f"{site}/users/me/"), landed.text + served.log.read_text()
        assert "haneul" in landed.text
        assert browser.get(f"{site}/kakaoauth/style.css", timeout=SECONDS).status_code == 200
    # Data belongs to whoever runs the site, not to the Python that it runs on.
    assert (tmp_path / "instance" / "kakaoauth.db").exists()
    assert not list(environment.rglob("instance"))


def test_example_tests_itself_with_the_installed_wheel(environment: Path, tmp_path: Path) -> None:
    club = shutil.copytree(ROOT / "examples" / "bookclub", tmp_path / "bookclub", ignore=NOT_SHIPPED)
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "welcome")
    python = str(environment / "bin" / "python")
    assert "1 passed" in run(python, *words, cwd=club, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def test_settings_of_an_installed_site_lie_in_its_working_folder(environment: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8123\n")
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "config.py").write_text("SANDBOX_PORT = 8124\n")
    program = "from kakaoauth.config import load; s = load(); print(s['PORT'], s['SANDBOX_PORT'], s['INSTANCE_PATH'])"
    shown = run(str(environment / "bin" / "python"), "-c", program, cwd=tmp_path)
    assert shown == f"8123 8124 {tmp_path / 'instance'}\n"


def test_installed_doctor_needs_no_wsgi_file(environment: Path, tmp_path: Path) -> None:
    command = [str(environment / "bin" / "python"), "-m", "kakaoauth.cli.doctor", "--lang", "en"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, timeout=SECONDS)
    assert "Traceback" not in done.stderr
    assert "Redis" in done.stdout


def test_command_names_its_version(environment: Path, tmp_path: Path) -> None:
    kakaoauth = str(environment / "bin" / "kakaoauth")
    version = metadata()["metadata"]["version"]
    assert run(kakaoauth, "--version", cwd=tmp_path).strip().endswith(f"version {version}")
    (newest, *_older) = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest == version
