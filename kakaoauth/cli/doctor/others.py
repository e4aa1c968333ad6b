"""What the other providers say about the settings: one call to each that is offered, with a code that never was.

A provider looks at id and secret first: who refuses the code only has accepted both.
"""

from flask import Flask

from kakaoauth.cli.doctor.findings import Report
from kakaoauth.cli.doctor.site import redirect_uri
from kakaoauth.errors import AppError, InvalidAccessToken, InvalidFields, Misconfigured
from kakaoauth.providers import find_provider
from kakaoauth.translation import gettext

NAMES = ("facebook", "naver", "google", "apple")
#: No provider has given it.
CODE = "made-up-by-the-doctor"


def check(app: Flask, report: Report) -> None:
    """Ask each provider, and note one finding for each."""
    for name in NAMES:
        _check(app, name, f"others.{name}", report)


def _check(app: Flask, name: str, check: str, report: Report) -> None:
    provider = find_provider(name)
    if provider is None:
        report.ok(check, gettext("not offered"))
        return
    address = redirect_uri(app, name)
    try:
        provider.profile_of_code(CODE, address or "http://localhost/", state=CODE)
    except (InvalidAccessToken, InvalidFields):
        seen = gettext("register %(address)s", address=address) if address else ""
        report.ok(check, seen)
    except Misconfigured as error:
        cure = gettext("Compare its settings with its console, see docs/%(name)s-setup.md.", name=name)
        report.fail(check, cure, error.reason)
    except AppError as error:
        cure = gettext(
            "Wait and try again. If it stays so, look at the firewall, the proxy and the address in the settings."
        )
        report.fail(check, cure, error.reason)
