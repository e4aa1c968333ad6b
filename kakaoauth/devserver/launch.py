"""`make run` from its first line to its exit status. A refusal comes before the site is imported, which takes long."""

import importlib
import os
import sys
from pathlib import Path

from kakaoauth import config
from kakaoauth.config.checks import ConfigError
from kakaoauth.config.settings import ROOT
from kakaoauth.devserver import checks
from kakaoauth.devserver.processes import Ended, Refused, die_with, end_leftovers, say


def main() -> int:
    """Return the exit status: 0 after a signal, which is how it ought to end."""
    try:
        if "MAKELEVEL" in os.environ:
            die_with(os.getppid())  # make, killed: nobody would be left to press Ctrl-C
        os.chdir(ROOT)
        os.umask(0o077)  # people's data, sessions, keys: for nobody else on this machine
        settings = config.load()
        run_folder = Path(settings["INSTANCE_PATH"]) / "run"
        with checks.only_one(run_folder):
            end_leftovers(run_folder)
            checks.require_ports(settings)
            # Once, for all parts: each is forked, and would take more than a second for it.
            importlib.import_module("kakaoauth.site")
            supervisor = importlib.import_module("kakaoauth.devserver.supervisor")
            supervisor.Supervisor(settings, run_folder).run()
    except Ended:
        say("Stopped.")
        return 0
    except (ConfigError, Refused) as error:
        if str(error):
            say(f"kakaoauth: {error}", sys.stderr)
    except OSError as error:
        say(f"kakaoauth: {error.filename or 'the system'} cannot be used ({error.strerror})", sys.stderr)
    return 1
