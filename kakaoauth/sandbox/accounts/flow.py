"""The pages between an authorization request and the return to the site, for each of the three providers."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Request, Response

from kakaoauth.sandbox.pages.responses import redirect_back
from kakaoauth.sandbox.people.accounts import Account
from kakaoauth.sandbox.state.account_model import Consent, LoginRequest, PendingLogin
from kakaoauth.sandbox.state.accounts import AccountStore
from kakaoauth.sandbox.state.context import current_state


@dataclass(frozen=True)
class Item:
    """One line of the consent page."""

    id: str
    korean: str
    english: str
    required: bool = True


class LoginFlow:
    """What differs from provider to provider. The pages themselves are in `pages.py`."""

    provider: str
    authorize_paths: tuple[str, ...]
    authorize_methods: tuple[str, ...] = ("GET",)

    def store(self) -> AccountStore:
        """Return this provider's memory."""
        return current_state().accounts[self.provider]

    def app_name(self) -> str:
        """Return the name under which people know the site."""
        raise NotImplementedError

    def code_seconds(self) -> int:
        """Return how long a code is good."""
        raise NotImplementedError

    def read(self, request: Request) -> LoginRequest:
        """Check everything a console or a developer can get wrong. :raise LoginPageError: never a redirect."""
        raise NotImplementedError

    def refusal_in_advance(self, wanted: LoginRequest, person: Account | None, asked: bool) -> dict[str, str] | None:
        """Return the answer to a request that forbids a page which would be needed, or None."""
        return None

    def shows_chooser(self, wanted: LoginRequest) -> bool:
        """Whether who is logged in is asked for all the same."""
        return False

    def check_person(self, person: Account) -> None:
        """Let in only whom the console lets in. :raise LoginPageError:"""

    def items_to_ask(self, consent: Consent | None, wanted: LoginRequest) -> list[Item]:
        """Return the consent page's lines; with none of them, a known person sees no page."""
        raise NotImplementedError

    def agreed(self, person: Account, consent: Consent, wanted: LoginRequest, form: Mapping[str, str]) -> None:
        """Note what else the consent page was told."""

    def extra_answer(self, person: Account, consent: Consent, pending: PendingLogin, first: bool) -> dict[str, str]:
        """Return what goes back to the site beside the code."""
        return {}

    def denied(self) -> dict[str, str]:
        """Return what goes back to the site when the person says no."""
        return {"error": "access_denied"}

    def answer(self, wanted: LoginRequest, values: Mapping[str, str]) -> Response:
        """Send the browser back to the site."""
        return redirect_back(wanted.redirect_uri, **values, **_state(wanted))


def _state(wanted: LoginRequest) -> dict[str, str | None]:
    return {"state": wanted.state}
