"""The sign-up step through the API: what an app says that its person has agreed to and typed."""

from datetime import datetime
from typing import Any

from flask import current_app
from werkzeug.datastructures import MultiDict
from wtforms import Form

from kakaoauth import terms
from kakaoauth.accounts import hooks, sign_in
from kakaoauth.accounts.sign_in import Entry
from kakaoauth.api.login_bodies import AccessTokenLogin
from kakaoauth.api.terms_schemas import AgreedTerm, SignUpAnswer
from kakaoauth.counting import counters
from kakaoauth.errors import InvalidFields, TermsRequired
from kakaoauth.providers.base import Provider
from kakaoauth.providers.values import Profile
from kakaoauth.terms import Agreement, Answer, of_provider
from kakaoauth.terms.consents import API


def log_in(provider: Provider, body: SignUpAnswer, profile: Profile, begun_at: datetime) -> Entry:
    """Find or make the account.

    :raises TermsRequired: something required was not agreed to, here or at the provider; nothing is stored.
    :raises InvalidFields: the host's form does not take the fields. :raises AppError: as sign_in.log_in.
    """
    form = _form(body)
    is_complete = form is None or form.validate()
    fields = dict(form.data) if form is not None and is_complete else {}
    said = Answer(_agreements(body), is_whole=is_complete, fields=fields)
    try:
        return _admit(provider, profile, begun_at, said, restores=body.restore)
    except TermsRequired as error:
        lacking = error
    told = of_provider.answer(
        provider.name, profile.subject, _token_of(body, profile), asks_more=hooks.sign_up_form() is not None
    )
    if told.agreements:
        try:
            both = Answer((*said.agreements, *told.agreements), is_whole=is_complete, fields=fields)
            return _admit(provider, profile, begun_at, both, restores=body.restore)
        except TermsRequired as error:
            lacking = error
    if form is not None and not any(term["required"] for term in lacking.terms):
        raise InvalidFields({f"fields.{name}": " ".join(map(str, wrong)) for name, wrong in form.errors.items()})
    raise lacking


def count(provider: Provider, *, error: TermsRequired | None, body: SignUpAnswer) -> None:
    """Count an app's person who was asked, or who has answered."""
    if error is not None:
        counters.count("terms_asked", provider.name)
    elif body.agreed is not None and terms.asked():
        counters.count("terms_agreed", provider.name)


def _admit(provider: Provider, profile: Profile, begun_at: datetime, answer: Answer, *, restores: bool) -> Entry:
    return sign_in.log_in(
        profile,
        email_required=current_app.config["KAKAOAUTH_EMAIL_REQUIRED"],
        consent_for_email=provider.email_scopes,
        begun_at=begun_at,
        answer=answer,
        restores=restores,
    )


def _agreements(body: SignUpAnswer) -> tuple[Agreement, ...]:
    """An agreement to another version than today's is none, nor one to a term that is asked no more."""
    found = []
    for one in body.agreed or ():
        term = terms.find(one.id if isinstance(one, AgreedTerm) else one)
        if term is not None and (not isinstance(one, AgreedTerm) or one.version == term.version):
            found.append(Agreement(term, API))
    return tuple(found)


def _form(body: SignUpAnswer) -> Form | None:
    kind = hooks.sign_up_form()
    if kind is None:
        return None
    sent: MultiDict[str, Any] = MultiDict()
    for name, value in (body.fields or {}).items():
        for one in value if isinstance(value, list) else [value]:
            if one is not False:  # as a box that is not ticked
                sent.add(name, "y" if one is True else str(one))
    return kind(sent, meta={"csrf": False})


def _token_of(body: SignUpAnswer, profile: Profile) -> str | None:
    if isinstance(body, AccessTokenLogin):
        return body.access_token
    return profile.tokens.access_token if profile.tokens else None
