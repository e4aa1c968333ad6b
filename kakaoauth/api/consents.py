"""What people have agreed to: one's own, and for staff everybody's."""

from typing import Any

from flask import Blueprint, g
from flask.typing import ResponseReturnValue

from kakaoauth.api.operation import ONESELF, ONESELF_AND_STAFF, answer, operation
from kakaoauth.api.schemas import ConsentsOut, GivenConsent
from kakaoauth.errors import ConsentNeeded, NotFound, TermsChanged
from kakaoauth.models import User, find_user
from kakaoauth.terms import own
from kakaoauth.terms.consents import API
from kakaoauth.web import guards

bp = Blueprint("consents", __name__, url_prefix="/api/users")
bp.before_request(guards.bearer)


@bp.get("/me/consents/")
@operation("One's own consents", answers={200: ConsentsOut}, access=ONESELF)
def show_mine() -> ResponseReturnValue:
    """Every term of the site, and what was said to it, the oldest first."""
    return _listed(_bearer().id)


@bp.put("/me/consents/<term>/")
@operation(
    "Agree to a term",
    body=GivenConsent,
    body_optional=True,
    answers={200: ConsentsOut},
    errors=(NotFound, TermsChanged),
    access=ONESELF,
)
def give(term: str, body: GivenConsent) -> ResponseReturnValue:
    """Later than at the sign-up. With `version`, only if that is still the version of today."""
    own.agree(_bearer().id, term, body.version, source=API)
    return _listed(_bearer().id)


@bp.delete("/me/consents/<term>/")
@operation("Withdraw an optional consent", answers={200: ConsentsOut}, errors=(NotFound, ConsentNeeded), access=ONESELF)
def withdraw(term: str) -> ResponseReturnValue:
    """Twice is once. A required one goes with the account only."""
    own.withdraw(_bearer().id, term)
    return _listed(_bearer().id)


@bp.get("/<int:user_id>/consents/")
@operation("A user's consents", answers={200: ConsentsOut}, errors=(NotFound,), access=ONESELF_AND_STAFF)
def show(user_id: int) -> ResponseReturnValue:
    """As the user's own list."""
    bearer = _bearer()
    if find_user(user_id) is None or not (bearer.is_staff or bearer.id == user_id):
        raise NotFound
    return _listed(user_id)


def _listed(user_id: int) -> ResponseReturnValue:
    items: list[dict[str, Any]] = [line.to_dict() for line in own.lines(user_id)]
    return answer(ConsentsOut, {"items": items})


def _bearer() -> User:
    user: User = g.bearer
    return user
