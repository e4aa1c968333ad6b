"""Changes of one's own profile."""

from collections.abc import Mapping

from kakaoauth import audit
from kakaoauth.errors import InvalidAccessToken
from kakaoauth.models import User
from kakaoauth.storage.database import db
from kakaoauth.storage.transaction import transaction
from kakaoauth.text import clean_text

#: Not the e-mail: only a provider can verify one.
OWN_FIELDS = ("name", "nickname")


@transaction
def change_profile(user_id: int, changes: Mapping[str, str | None]) -> User:
    """Set fields of a profile; later logins do not overwrite them. None lets the provider set a field again.

    :raises InvalidAccessToken: the account was erased during this request.
    """
    user = db.session.get(User, user_id, populate_existing=True)
    if user is None or user.erased_at is not None:
        raise InvalidAccessToken("erased meanwhile")
    own = set(filter(None, user.own_fields.split(",")))
    for field in OWN_FIELDS:
        if field in changes:
            value = clean_text(changes[field])
            setattr(user, field, value)
            own = own | {field} if value else own - {field}
    user.own_fields = ",".join(sorted(own))
    audit.record("profile changed", target=user.id, fields=",".join(sorted(changes)))
    return user
