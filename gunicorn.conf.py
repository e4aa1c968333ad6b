"""Production settings; gunicorn reads this file by itself. `-b`, WEB_CONCURRENCY and GUNICORN_CMD_ARGS win over it.

The configuration is checked here, once, before any worker exists: a mistake ends the start with one line instead of
workers that die and are started again. The price: new code needs a restart, a HUP is not enough.
"""

import logging
import os
import re
import socket
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kakaoauth.config import load
from kakaoauth.config.checks import ConfigError, is_loopback

PROBES = ("/healthz", "/readyz")
#: Threads that serve other pages while all providers are silent.
RESERVE = 12
_MILLISECOND = timedelta(milliseconds=1)


def _load() -> tuple[dict[str, Any], int]:
    try:
        return load(), int(os.environ.get("WEB_CONCURRENCY") or 2)
    except ConfigError as error:
        sys.exit(f"kakaoauth: {error}")
    except ValueError:
        sys.exit("kakaoauth: WEB_CONCURRENCY must be a number")


# Before the site is imported, which takes a second and more: a refusal comes at once.
settings, workers = _load()
from kakaoauth.core import KakaoAuth  # noqa: E402
from kakaoauth.login import waiting  # noqa: E402
from kakaoauth.monitoring import logs  # noqa: E402
from kakaoauth.providers import KNOWN, http  # noqa: E402


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class QuietLogger(Logger):  # type: ignore[misc]
    """Authorization codes and states come in query strings: none of them may stand in a log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for old in list(self.error_log.filters):
            self.error_log.removeFilter(old)
        self.error_log.addFilter(_cut_queries)
        # Our own lines to standard output are written by hand: Python's logging takes 0.1 ms of each page.
        is_elsewhere = cfg.accesslog != "-" or cfg.syslog or cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        self.is_our_format = cfg.access_log_format == access_log_format
        self.writes_lines = self.is_our_format and settings["LOG_FORMAT"] != "json" and not is_elsewhere
        if settings["LOG_FORMAT"] == "json":
            for handler in (*self.error_log.handlers, *self.access_log.handlers):
                handler.setFormatter(logs.formatter("json"))

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        # Probes come every few seconds and would bury everything else.
        if environ.get("PATH_INFO") in PROBES and str(resp.status).startswith("200"):
            return
        if not self.writes_lines:
            super().access(resp, req, environ, request_time)
            return
        atoms = self.atoms(resp, req, environ, request_time)
        atoms["U"] = atoms["U"].replace('"', r"\"")  # as gunicorn does in each value, of which no other can have one
        line = f"{access_log_format % atoms}\n"
        with suppress(OSError):  # nobody reads the log any more
            os.write(sys.stdout.fileno(), line.encode())

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        # gunicorn's own path is decoded: %0A in an address would begin a line of the visitor's making.
        path = environ["RAW_URI"].partition("?")[0].partition("#")[0].encode("unicode_escape").decode()
        if self.is_our_format:  # gunicorn names every header as well, which takes longer
            return {
                "t": self.now(),
                "h": environ.get("REMOTE_ADDR", "-"),
                "m": environ["REQUEST_METHOD"],
                "U": path,
                "s": str(resp.status).split(None, 1)[0],
                "B": resp.sent,
                "M": request_time // _MILLISECOND,
            }
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        return atoms | {"U": path}


def _cut_queries(record: logging.LogRecord) -> bool:
    """gunicorn quotes the request line when it could not read a request or the app raised."""
    record.msg, record.args = re.sub(r"\?\S*", "?...", record.getMessage()), ()
    return True


def _threads_held() -> int:
    """How many threads wait at most, in each process, when no provider answers."""
    lines = sum(bool(settings[f"{kind.name.upper()}_CLIENT_ID"]) for kind in KNOWN)
    return lines * http.threads_held(settings["PROVIDER_MAX_CALLS"]) + waiting.WAITING


def on_starting(server: Any) -> None:
    """In the sandbox everybody may log in as anybody, so it and what stands on it stay on this machine."""
    if server.cfg.threads <= _threads_held():
        server.log.warning("a silent provider can take all threads: more than %s are needed", _threads_held())
    if not settings["KAKAOAUTH_EMBEDDED"]:
        return
    for address in server.cfg.address:
        if not (isinstance(address, tuple) and is_loopback(address[0])):
            missing = {"kakao": "KAKAO_CLIENT_ID", "redis": "REDIS_URL"}
            names = " and ".join(missing[part] for part in sorted(settings["KAKAOAUTH_EMBEDDED"]))
            where = f"{address[0]} (port {address[1]})" if isinstance(address, tuple) else address
            sys.exit(
                f"kakaoauth: {where} can be reached from outside, and that needs your own {names}: set it, or bind to"
                " 127.0.0.1"
            )


def post_worker_init(worker: Any) -> None:
    """The site itself retries what waits for Kakao or for the database; a schema that is behind is told at once."""
    KakaoAuth.start_jobs(worker.wsgi)


bind = [f"{host}:{settings['PORT']}" for host in ("127.0.0.1", *(["[::1]"] if _has_ipv6() else []))]

worker_class = "kakaoauth.server.BufferingWorker"  # gthread, but no thread waits for a client
worker_connections = 1000  # in each process; beyond, the slowest are closed
threads = _threads_held() + RESERVE
timeout = 30  # a worker that is silent for so long is replaced; a login may take PROVIDER_DEADLINE_SECONDS
graceful_timeout = 10
keepalive = 75  # longer than nginx's 60 seconds, so that it is nginx that closes
max_requests = 100000  # a leak's end; a new worker costs as much as 400 pages
max_requests_jitter = 10000
limit_request_line = 8190

# X-Forwarded-Proto is believed by the app's own rule, TRUSTED_PROXIES, and by nobody else.
secure_scheme_headers: dict[str, str] = {}
# Nor does anybody say by a header what SCRIPT_NAME is: gunicorn would believe this machine.
forwarder_headers = ""
forwarded_allow_ips = ""
# One more door, in the home folder and under one name for all sites; nobody here uses it.
control_socket_disable = True

logger_class = QuietLogger
accesslog = "-"
errorlog = "-"
access_log_format = "%(t)s %(h)s %(m)s %(U)s %(s)s %(B)s %(M)sms"
