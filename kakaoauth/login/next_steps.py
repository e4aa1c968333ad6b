"""The buttons on the page of a refused login."""

from typing import Any

from flask import url_for
from flask_login import current_user

from kakaoauth import providers
from kakaoauth.errors import AppError, ConfirmationEnded, EmailInUse, EmailRequired
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import PendingLogin
from kakaoauth.translation import gettext


def offer(error: AppError, provider: Provider, pending: PendingLogin | None) -> None:
    """Add buttons to `error.actions`: share what is missing, log in with the account's provider, or try again.

    :param pending: the login that came back; None if the callback belongs to none.
    """
    if pending is not None and pending.confirms and not isinstance(error, ConfirmationEnded):
        error.actions.append((gettext("Try again"), url_for("kakaoauth.confirm.show", next=pending.next)))
    # Somebody who is logged in was linking, or reloads a link's callback: a login would open another account.
    if current_user.is_authenticated if pending is None else not pending.is_login:
        error.actions.append((gettext("My page"), url_for("kakaoauth.account.show")))
        return
    if pending is not None and pending.consent and current_user.is_authenticated:
        error.actions.append((gettext("My page"), url_for("kakaoauth.account.show")))
    _offer_logins(error, provider, pending)


def _offer_logins(error: AppError, provider: Provider, pending: PendingLogin | None) -> None:
    def again(name: str, **more: Any) -> str:
        target, mode = (pending.next, pending.mode or None) if pending else (None, None)
        return url_for("kakaoauth.auth.login", provider=name, next=target, mode=mode, **more)

    if isinstance(error, EmailRequired) and error.consent:
        error.actions.append((gettext("Share my e-mail address"), again(provider.name, consent=error.consent[0])))
    elif isinstance(error, EmailInUse) and (other := providers.find_provider(error.other)) and other != provider:
        error.actions.append((gettext("Log in with %(provider)s", provider=other.label), again(other.name)))
    elif error.can_retry:
        error.actions.append((gettext("Try again"), again(provider.name)))
    if isinstance(error, EmailRequired | EmailInUse) and "select_account" in provider.prompts:
        error.actions.append((gettext("Use another account"), again(provider.name, prompt="select_account")))
