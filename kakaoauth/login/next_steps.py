"""The buttons on the page of a refused login."""

from typing import Any

from flask import url_for
from flask_login import current_user

from kakaoauth import providers
from kakaoauth.errors import AccountUnusable, AppError, ConfirmationEnded, EmailInUse, EmailRequired, account_label
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import PendingLogin
from kakaoauth.translation import gettext

#: Where people change their account, such as its e-mail address.
ACCOUNT_PAGES = {"kakao": "https://accounts.kakao.com", "google": "https://myaccount.google.com"}


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

    other = providers.find_provider(error.other) if isinstance(error, EmailInUse) else None
    choice = gettext("Use another account"), again(provider.name, prompt="select_account")
    can_choose = "select_account" in provider.prompts
    if isinstance(error, EmailRequired) and error.consent:
        error.actions.append((gettext("Share my e-mail address"), again(provider.name, consent=error.consent[0])))
    elif isinstance(error, EmailRequired) and error.is_mended_there and provider.name in ACCOUNT_PAGES:
        label = gettext("Open my %(account)s", account=account_label(provider.name))
        error.actions.append((label, ACCOUNT_PAGES[provider.name]))
        error.actions.append((gettext("Try again"), again(provider.name)))
    elif other is not None and other != provider:
        error.actions.append((gettext("Log in with %(provider)s", provider=other.label), again(other.name)))
    elif can_choose and (isinstance(error, AccountUnusable) or (other == provider and isinstance(error, EmailInUse))):
        error.actions.append(choice)
    elif error.can_retry:
        error.actions.append((gettext("Try again"), again(provider.name)))
    if isinstance(error, EmailRequired | EmailInUse) and can_choose and choice not in error.actions:
        error.actions.append(choice)
