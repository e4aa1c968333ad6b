"""Which permissions the app may ask for, and which of them a person still has to be asked for."""

from kakaoauth.sandbox.state.facebook_model import DialogRequest, Installation

# Permission -> (Korean, English). The two that an app has without a review
PERMISSIONS: dict[str, tuple[str, str]] = {
    "public_profile": ("이름 및 프로필 사진", "Name and profile picture"),
    "email": ("이메일 주소", "E-mail address"),
}
ALWAYS = "public_profile"  # the one box that can't be unticked


def permissions_to_ask(installation: Installation | None, wanted: DialogRequest) -> list[str]:
    """What was granted is not asked for again; what was declined only on demand."""
    if installation is None:
        return list(wanted.scopes)
    had = installation.permissions
    return [name for name in wanted.scopes if name not in had or (wanted.rerequest and not had[name])]
