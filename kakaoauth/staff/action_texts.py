"""The actions a superuser can take on a user: their texts, when they are available, and what they change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kakaoauth.models import User
from kakaoauth.translation import lazy_gettext

_ = lazy_gettext


@dataclass(frozen=True)
class AdminAction:
    #: On the button that leads to it, as the heading, and on the button that does it.
    title: Any
    #: What will happen, sentence by sentence.
    effects: tuple[Any, ...]
    #: Told afterwards; may say `%(name)s`.
    success: Any
    #: Whether it would change anything.
    available: Callable[[User], bool]
    #: Arguments of `roles.change_user`; empty where the action does something else.
    changes: Mapping[str, Any] = field(default_factory=dict)
    #: It shuts somebody out.
    destructive: bool = False
    #: It stands in the danger zone of the user's page.
    is_grave: bool = False
    #: Asks until when, and what the person is told.
    has_terms: bool = False
    #: Asks to type the user's number.
    confirm_by_id: bool = False


ACTIONS: Mapping[str, AdminAction] = {
    "make-staff": AdminAction(
        title=_("Make staff"),
        effects=(
            _("They see the list of users and each user's page, with e-mail addresses and sessions."),
            _("They write notes and tags about users and change nothing else. A superuser becomes one no longer."),
            _("Their sessions end sooner than other people's."),
        ),
        success=_("%(name)s is staff now."),
        available=lambda user: not user.is_staff or user.is_superuser,
        changes={"is_staff": True, "is_superuser": False},
    ),
    "make-superuser": AdminAction(
        title=_("Make superuser"),
        effects=(
            _("They may do all that you may: give and take roles, suspend, delete, read the audit trail."),
            _("They may take your role away as well."),
        ),
        success=_("%(name)s is a superuser now."),
        available=lambda user: not user.is_superuser,
        changes={"is_superuser": True},
    ),
    "demote": AdminAction(
        title=_("Take roles away"),
        effects=(
            _("They are a user like any other, from their next click. They stay logged in."),
            _("Apps they are logged in with ask them to log in again within minutes."),
        ),
        success=_("%(name)s has no role now."),
        available=lambda user: user.is_staff,
        changes={"is_staff": False},
    ),
    "suspend": AdminAction(
        title=_("Suspend"),
        effects=(
            _("They are logged out everywhere, from their next click, and cannot log in any more."),
            _("With an end date it ends by itself: after that day they can log in again."),
            _("Nothing is deleted. You can let them in again."),
        ),
        success=_("%(name)s is suspended and logged out everywhere."),
        available=lambda user: not user.is_suspended,
        changes={"is_active": False},
        has_terms=True,
        destructive=True,
        is_grave=True,
    ),
    "reactivate": AdminAction(
        title=_("Reinstate"),
        effects=(_("They can log in again. Sessions from before the suspension do not come back."),),
        success=_("%(name)s can log in again."),
        available=lambda user: user.is_suspended,
        changes={"is_active": True},
    ),
    "restore": AdminAction(
        title=_("Restore the account"),
        effects=(
            _("The account is open again as it was, and will not be erased."),
            _("They can log in at once. Restore it only if they have asked you to."),
        ),
        success=_("The account of %(name)s is restored."),
        available=lambda user: user.closed_at is not None,
        changes={"is_active": True},
    ),
    "end-sessions": AdminAction(
        title=_("End all sessions"),
        effects=(
            _("They are logged out on every device and in every app, from the next click."),
            _("They can log in again at once."),
        ),
        success=_("%(name)s is logged out everywhere."),
        available=lambda user: True,
        is_grave=True,
    ),
    "delete": AdminAction(
        title=_("Delete the account"),
        effects=(
            _("Profile, logins, sessions and tokens are gone at once. This cannot be undone."),
            _("The login providers are told to disconnect this site, now or as soon as they answer."),
            _("The audit trail keeps their number, without name or e-mail address."),
            _("If they log in again later, they begin with a new, empty account."),
            _("If suspended, they stay out: unreadable codes are kept of their logins and their e-mail address."),
        ),
        success=_("The account of %(name)s is deleted."),
        available=lambda user: True,
        destructive=True,
        is_grave=True,
        confirm_by_id=True,
    ),
}
#: Apart from ACTIONS, because its address also names the device.
END_DEVICE = AdminAction(
    title=_("End this session"),
    effects=(
        _("This device or app is logged out, from its next click; their others stay logged in."),
        _("They can log in again at once."),
    ),
    success=_("One session of %(name)s is ended."),
    available=lambda user: True,
    destructive=True,
)
#: Apart from ACTIONS, because its address also names the identity.
UNLINK = AdminAction(
    title=_("Disconnect"),
    effects=(
        _("They can no longer log in this way; their other sign-in methods stay."),
        _("They are logged out on every device and in every app, from the next click."),
        _("The login provider is told to disconnect this site, now or as soon as it answers."),
    ),
    success=_("The sign-in method of %(name)s is disconnected."),
    available=lambda user: True,
    destructive=True,
)
