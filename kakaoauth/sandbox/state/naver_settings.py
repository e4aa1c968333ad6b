"""What a developer sets at Naver Developers, as one frozen object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from kakaoauth.sandbox.loopback import is_webhook_address

# Item -> (Korean, English), as the console offers them
ITEMS: dict[str, tuple[str, str]] = {
    "name": ("회원이름", "Name"),
    "email": ("연락처 이메일 주소", "Contact e-mail address"),
    "nickname": ("별명", "Nickname"),
    "profile_image": ("프로필 사진", "Profile picture"),
    "gender": ("성별", "Gender"),
    "birthday": ("생일", "Birthday"),
    "age": ("연령대", "Age range"),
    "birthyear": ("출생연도", "Year of birth"),
    "mobile": ("휴대전화번호", "Mobile number"),
}
LEVELS = ("required", "optional")
DEFAULT_ITEMS = MappingProxyType(
    {"name": "required", "email": "required", "nickname": "optional", "profile_image": "optional"}
)


@dataclass(frozen=True)
class NaverSettings:
    """Everything the sandbox knows as Naver about the one app it serves."""

    client_id: str = "SandboxNaverNotReal01"
    client_secret: str = "NaverNo1Secret"  # noqa: S105
    app_name: str = "kakaoauth sandbox"
    redirect_uris: tuple[str, ...] = ()
    items: Mapping[str, str] = field(default_factory=lambda: DEFAULT_ITEMS)  # item -> required or optional
    reviewed: bool = True  # False: the testers alone get in
    testers: tuple[str, ...] = ()  # keys of people
    login_enabled: bool = True  # the login API is ticked in the app
    state_required: bool = True  # the documents want `state` in the token call, too
    own_sub: bool = False  # the id_token's sub is another than the id of /v1/nid/me
    disconnect_url: str | None = None
    code_seconds: int = 600
    token_seconds: int = 3600
    refresh_seconds: int = 365 * 86400

    def __post_init__(self) -> None:
        if not 0 < len(self.client_id) <= 40 or not 0 < len(self.client_secret) <= 40:
            raise ValueError("client_id and client_secret have 1 to 40 characters")
        unknown = [name for name in self.items if name not in ITEMS]
        if unknown or not set(self.items.values()) <= set(LEVELS):
            raise ValueError(f"items: known are {', '.join(ITEMS)}, each required or optional")
        if self.disconnect_url is not None and not is_webhook_address(self.disconnect_url):
            raise ValueError(f"a message goes to this computer only (localhost, 127.0.0.1): {self.disconnect_url}")
