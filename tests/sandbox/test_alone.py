"""The sandbox stands alone: it loads Flask and joserfc and nothing of the site, and works where only its folder is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import requests
from support.ports import free_port

import kakaoauth.sandbox

FOLDER = Path(kakaoauth.sandbox.__file__).parent
ROOT = FOLDER.parents[1]
#: What the site needs and the sandbox does not.
OF_THE_SITE = {
    *("sqlalchemy", "flask_sqlalchemy", "flask_login", "flask_session", "babel", "flask_wtf", "flask_migrate"),
    *("redis", "authlib", "pydantic", "requests", "argon2", "limits", "prometheus_client", "psycopg", "alembic"),
}
LIST = "import sys, kakaoauth.sandbox.__main__; print(*sys.modules, sep=chr(10))"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """With the modules that lie in this folder, and no other of ours."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = (sys.executable, *command)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120)


def test_loads_nothing_of_the_site() -> None:
    listed = run(ROOT, "-c", LIST)
    assert listed.returncode == 0, listed.stderr
    modules = set(listed.stdout.split())
    assert {"flask", "joserfc", "kakaoauth.sandbox.app"} <= modules
    ours = {name for name in modules if name.split(".")[0] == "kakaoauth"}
    assert {name for name in ours if not name.startswith("kakaoauth.sandbox")} == {"kakaoauth"}
    assert {name.split(".")[0] for name in modules} & OF_THE_SITE == set()


def test_package_itself_loads_nothing_until_a_name_is_asked_for() -> None:
    program = "import sys, kakaoauth; print(*sys.modules); print(kakaoauth.create_app, 'kakaoauth.site' in sys.modules)"
    listed = run(ROOT, "-c", program)
    before, after = listed.stdout.splitlines()
    assert {name for name in before.split() if name.split(".")[0] == "kakaoauth"} == {"kakaoauth"}
    assert after.startswith("<function create_app")
    assert after.endswith("True")
    unknown = run(ROOT, "-c", "from kakaoauth import nothing_of_that_name")
    assert "cannot import name 'nothing_of_that_name'" in unknown.stderr


def test_its_folder_alone_serves_pages_and_styles(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kakaoauth/sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    port = free_port()
    command = [sys.executable, "-m", "kakaoauth.sandbox", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        assert str(port) in process.stdout.readline()
        origin = f"http://127.0.0.1:{port}"
        page = requests.get(origin, headers={"Accept-Language": "en"}, timeout=30)
        assert (page.status_code, "A place to practise logging in" in page.text) == (200, True)
        style = page.text.split('rel="stylesheet" href="', 1)[1].split('"', 1)[0]
        assert requests.get(origin + style, timeout=30).headers["Content-Type"].startswith("text/css")
        console = requests.get(f"{origin}/sandbox/console", timeout=30)
        assert console.status_code == 200
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
