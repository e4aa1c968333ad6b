"""`make run` and `kakaoauth dev` from their first line to their exit status. A refusal comes before the site is
imported, which takes long."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kakaoauth import config
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.settings import ROOT, Settings
from kakaoauth.devserver import checks
from kakaoauth.devserver.processes import Ended, Refused, die_with, end_leftovers, say

#: People's data, sessions, keys: for nobody else on this machine.
PRIVATE = 0o077


def main() -> int:
    """Serve the reference site. Return the exit status."""
    return _told(_run_site)


def dev(name: str, *, port: int | None, sandbox_port: int | None, folder: Path | None, command: Sequence[str]) -> int:
    """Serve somebody's app, or run a command of its. Return the exit status.

    :param name: as `flask --app` reads it.
    :param port, sandbox_port, folder: PORT, SANDBOX_PORT and INSTANCE_PATH if not given, or their defaults.
    :param command: what to run instead of serving, as words after `flask`.
    """
    return _told(lambda: _run_host(name, port, sandbox_port, folder, command))


def _told(run: Callable[[], None]) -> int:
    """Return 0 after a signal, which is how it ought to end."""
    try:
        run()
    except (Ended, KeyboardInterrupt):
        say("Stopped.")
        return 0
    except (ConfigError, Refused) as error:
        if str(error):
            say(f"kakaoauth: {error}", sys.stderr)
    except OSError as error:
        say(f"kakaoauth: {error.filename or 'the system'} cannot be used ({error.strerror})", sys.stderr)
    return 1


def _run_site() -> None:
    if "MAKELEVEL" in os.environ:
        die_with(os.getppid())  # make, killed: nobody would be left to press Ctrl-C
    os.chdir(ROOT)
    os.umask(PRIVATE)
    settings = config.load()
    run_folder = Path(settings["INSTANCE_PATH"]) / "run"
    with checks.only_one(run_folder):
        end_leftovers(run_folder)
        checks.require_ports(settings)
        # Once, for all parts: each is forked, and would take more than a second for it.
        importlib.import_module("kakaoauth.site")
        supervisor = importlib.import_module("kakaoauth.devserver.supervisor")
        supervisor.Supervisor(settings, run_folder, importlib.import_module("kakaoauth.devserver.site").Site()).run()


def _run_host(
    name: str, port: int | None, sandbox_port: int | None, folder: Path | None, command: Sequence[str]
) -> None:
    importlib.import_module("kakaoauth.site")
    host = importlib.import_module("kakaoauth.devserver.host")
    supervisor = importlib.import_module("kakaoauth.devserver.supervisor")
    importlib.import_module("flask.cli").load_dotenv()  # as `flask` does
    their_mask = os.umask(PRIVATE)
    folder = (folder or Path(os.environ.get("INSTANCE_PATH") or "instance")).resolve()
    port = _number("PORT") if port is None else port
    host.set_environment(folder, port, _number("SANDBOX_PORT") if sandbox_port is None else sandbox_port)
    run_folder, app = folder / "run", host.HostApp(name)
    if command:
        host.complete_environment(app, folder)
        os.umask(their_mask)  # for what it writes beside the app: migrations, exports
        app.command(*command)
        return
    with checks.only_one(run_folder, "kakaoauth dev"):
        end_leftovers(run_folder)
        settings = host.complete_environment(app, folder)
        checks.require_ports(settings, checks.DEV)
        app.listen(settings["PORT"])
        supervisor.Supervisor(settings, run_folder, app).run()


def _number(name: str) -> int:
    text = os.environ.get(name) or str(getattr(Settings, name))
    if not text.isdecimal():
        raise ConfigError(f"{name} must be a number")
    return int(text)
