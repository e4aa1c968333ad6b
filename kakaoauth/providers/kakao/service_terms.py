"""Kakao Sync: the service terms that people agree to on Kakao's consent page.

https://developers.kakao.com/docs/ko/kakaologin/rest-api#user-terms
"""

from datetime import UTC, datetime
from typing import Any

from kakaoauth.config.terms import Term
from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers.answers import Json
from kakaoauth.providers.deadline import deadline
from kakaoauth.providers.http import Transport
from kakaoauth.providers.kakao.answers import read_answer
from kakaoauth.providers.oauth_client import OAuthApp
from kakaoauth.providers.values import AgreedTerms

#: Seconds that asking for them may take, beside the login's own deadline.
SECONDS = 2.0
PATH = "v2/user/service_terms"


class ServiceTerms:
    """What Kakao as a provider does with KAKAOAUTH_TERMS."""

    terms: tuple[Term, ...]
    transport: Transport
    _app: OAuthApp

    def terms_to_show(self) -> str | None:
        """Return the authorization request's `service_terms`. None if no term has a tag, or only optional ones have:
        Kakao shows no page then."""
        tagged = [term for term in self.terms if term.tag]
        return ",".join(term.tag for term in tagged) if any(term.required for term in tagged) else None

    def agreed_terms(self, subject: str, access_token: str) -> AgreedTerms:
        """As Provider.agreed_terms. Kakao is not asked where no term has a tag."""
        if not any(term.tag for term in self.terms):
            return {}
        with deadline(SECONDS), self.transport.conversation():
            return _read(read_answer(self._app.get_as(access_token, PATH)), subject)


def _read(body: Json, subject: str) -> AgreedTerms:
    """:raises ProviderUnavailable: no answer to that question, or about somebody else."""
    listed = body.get("service_terms")
    if not isinstance(listed, list) or str(body.get("id")) != subject:
        raise ProviderUnavailable("service_terms: no list, or about somebody else")
    agreed = [entry for entry in listed if isinstance(entry, dict) and entry.get("agreed") is True]
    return {entry["tag"]: _moment(entry.get("agreed_at")) for entry in agreed if isinstance(entry.get("tag"), str)}


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
