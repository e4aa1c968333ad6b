"""Alarms for the operator: one CRITICAL log line an hour for each fault, however often it occurs.

Otherwise a visitor could fill the log by repeating a request, and hide the rest.
"""

import logging
import time

from flask import current_app

log = logging.getLogger("kakaoauth.alarms")

#: Seconds until the same line is written again.
PAUSE = 3600


def ring(about: str, cure: str) -> None:
    """:param about: what tells this alarm from others. :param cure: the line: what is wrong, and what to do."""
    rung: dict[str, float] = current_app.extensions.setdefault("kakaoauth_alarms", {})
    if about in rung and time.monotonic() - rung[about] < PAUSE:
        return
    rung[about] = time.monotonic()
    log.critical("%s", cure)


def email_is_not_configured(provider: str) -> None:
    """Tell the operator that the provider's console lacks the e-mail as a consent item."""
    ring(
        f"email {provider}",
        f"{provider}: nobody can share an e-mail address, for its console does not ask for one. Kakao: switch "
        "account_email on under [Kakao Login] > [Consent items]; or set KAKAOAUTH_EMAIL_REQUIRED=false",
    )
