"""What the people who run the site must hear: one CRITICAL line an hour for each thing, however often it is met.

What a visitor can repeat as they like would otherwise fill the log and hide the rest.
"""

import logging
import time

from flask import current_app

log = logging.getLogger("kakaoauth.alarms")

#: Seconds until the same line is written again.
PAUSE = 3600


def ring(about: str, cure: str) -> None:
    """:param about: what tells this alarm from others. :param cure: the line: what is wrong, and what to do."""
    rung: dict[str, float] = current_app.extensions.setdefault("alarms", {})
    if about in rung and time.monotonic() - rung[about] < PAUSE:
        return
    rung[about] = time.monotonic()
    log.critical("%s", cure)


def email_is_not_configured(provider: str) -> None:
    ring(
        f"email {provider}",
        f"{provider}: nobody can share an e-mail address, for its console does not ask for one. Kakao: switch "
        "account_email on under [Kakao Login] > [Consent items]; or set EMAIL_REQUIRED=false",
    )
