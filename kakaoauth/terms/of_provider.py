"""What somebody has agreed to on the provider's own page (Kakao Sync), taken over by the tags of the settings."""

import logging

from kakaoauth import providers, terms
from kakaoauth.errors import AppError
from kakaoauth.terms import BY_PROVIDER, UNASKED, Agreement, Answer

log = logging.getLogger("kakaoauth.terms")


def answer(provider: str, subject: str, access_token: str | None, *, asks_more: bool) -> Answer:
    """Ask the provider. Where it does not tell, nothing was agreed to: the person is asked here.

    :param access_token: the person's own. :param asks_more: the site's own step asks what the provider does not.
    """
    tagged = [term for term in terms.asked() if term.tag]
    chosen = providers.find_provider(provider)
    if not tagged or chosen is None or access_token is None:
        return UNASKED
    try:
        told = chosen.agreed_terms(subject, access_token)
    except AppError as error:
        log.warning("terms agreed at provider=%s are not known: %s %s", provider, error.code, error.provider_code)
        return UNASKED
    agreed = tuple(Agreement(term, BY_PROVIDER, told[term.tag]) for term in tagged if term.tag in told)
    is_whole = bool(agreed) and len(tagged) == len(terms.asked()) and not asks_more
    return Answer(agreed, is_whole=is_whole)
