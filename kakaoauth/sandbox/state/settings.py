"""What a developer sets in Kakao's console, as one frozen object."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from kakaoauth.sandbox.endpoints import ADMIN_APIS
from kakaoauth.sandbox.loopback import is_webhook_address
from kakaoauth.sandbox.state.apple_settings import AppleSettings
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.sandbox.state.google_settings import GoogleSettings
from kakaoauth.sandbox.state.naver_settings import NaverSettings

Level = Literal["required", "optional"]
WebhookMethod = Literal["GET", "POST"]

# Consent item -> (Korean name, English name, type in the scopes API)
CATALOGUE: dict[str, tuple[str, str, str]] = {
    "profile_nickname": ("닉네임", "Nickname", "PRIVACY"),
    "profile_image": ("프로필 사진", "Profile picture", "PRIVACY"),
    "profile": ("프로필 정보(닉네임/프로필 사진)", "Profile (nickname/picture)", "PRIVACY"),
    "account_email": ("카카오계정(이메일)", "Account e-mail", "PRIVACY"),
    "name": ("이름", "Name", "PRIVACY"),
    "gender": ("성별", "Gender", "PRIVACY"),
    "age_range": ("연령대", "Age range", "PRIVACY"),
    "birthday": ("생일", "Birthday", "PRIVACY"),
    "birthyear": ("출생 연도", "Year of birth", "PRIVACY"),
    "phone_number": ("카카오계정(전화번호)", "Account phone number", "PRIVACY"),
    "account_ci": ("CI(연계정보)", "CI (linking information)", "PRIVACY"),
    "shipping_address": ("배송지정보", "Delivery address", "PRIVACY"),
    "friends": ("카카오 서비스 내 친구목록", "Friends list", "PRIVACY"),
    "talk_message": ("카카오톡 메시지 전송", "Send messages", "SERVICE"),
}


@dataclass(frozen=True)
class ConsentItem:
    """One consent item switched on in the console."""

    id: str
    level: Level = "optional"

    @property
    def required(self) -> bool:
        """Whether nobody gets in without agreeing to it."""
        return self.level == "required"


DEFAULT_ITEMS = (
    ConsentItem("profile_nickname", "required"),
    ConsentItem("profile_image", "optional"),
    ConsentItem("account_email", "optional"),
)


@dataclass(frozen=True)
class SandboxSettings:
    """Everything the sandbox knows about the one app it serves."""

    client_id: str
    client_secret: str | None  # None: the console's switch is OFF
    admin_key: str
    app_id: int
    redirect_uris: tuple[str, ...]
    logout_redirect_uris: tuple[str, ...] = ()
    issuer: str = "http://127.0.0.1:8001"
    consent_items: tuple[ConsentItem, ...] = DEFAULT_ITEMS
    service_terms: tuple[ConsentItem, ...] = ()  # Kakao Sync: tag and level
    oidc: bool = True
    code_seconds: int = 600
    state_file: Path | None = None
    # Kakao's quotas per user: 20 token issues in 10 minutes, 30 refreshes in 60. A load test may raise them.
    issue_limit: int = 20
    refresh_limit: int = 30
    # has_email, properties.nickname ...: deprecated, yet still in real answers
    legacy_fields: bool = True
    # None: everybody has a picture of the sandbox's own, at every provider. Otherwise the addresses look like the
    # providers' (Kakao's begin with this), and no picture is behind them.
    picture_base: str | None = "http://k.kakaocdn.net/dn"
    # Webhooks: to this computer only
    unlink_webhook_url: str | None = None
    unlink_webhook_method: WebhookMethod = "POST"
    account_status_webhook_url: str | None = None
    login_enabled: bool = True  # False: KOE004
    test_app: bool = False  # True: KOE005 for everybody but the members
    members: tuple[str, ...] = ()
    under_14_allowed: bool = False
    allowed_ips: tuple[str, ...] = ()  # empty: every address may call kapi
    admin_key_apis: tuple[str, ...] | None = None  # None: every API
    # Many public clients do not keep to Kakao's documents and work with Kakao all the same: they leave redirect_uri
    # out of the token call, send the access token in the address, the token call's parameters too
    token_redirect_uri_required: bool = False
    access_token_in_query_allowed: bool = True
    token_parameters_in_query_allowed: bool = True
    strict: bool = False  # True: as in the documents, whatever the three above say
    facebook: FacebookSettings = field(default_factory=FacebookSettings)
    naver: NaverSettings = field(default_factory=NaverSettings)
    google: GoogleSettings = field(default_factory=GoogleSettings)
    apple: AppleSettings = field(default_factory=AppleSettings)

    def __post_init__(self) -> None:
        self._check_items()
        if not self.client_id or not self.admin_key or self.client_secret == "":
            raise ValueError("client_id, admin_key, client_secret must not be empty (the secret may be None)")
        parts = urlsplit(self.issuer)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError("issuer must be an origin such as http://127.0.0.1:8001, without a final slash")
        if self.unlink_webhook_method not in ("GET", "POST"):
            raise ValueError("unlink_webhook_method must be GET or POST")
        for url in (self.unlink_webhook_url, self.account_status_webhook_url):
            if url is not None and not is_webhook_address(url):
                raise ValueError(f"a webhook address must lie on this computer (localhost, 127.0.0.1, [::1]): {url}")
        unknown = set(self.admin_key_apis or ()) - ADMIN_APIS
        if unknown:
            raise ValueError(f"unknown API of the admin key: {', '.join(sorted(unknown))}")

    def _check_items(self) -> None:
        ids = [item.id for item in self.consent_items]
        unknown = [item for item in ids if item not in CATALOGUE]
        if unknown:
            raise ValueError(f"unknown consent item: {', '.join(unknown)}")
        if any(item.level not in ("required", "optional") for item in (*self.consent_items, *self.service_terms)):
            raise ValueError("the level of a consent item is required or optional")
        if len(set(ids)) != len(ids):
            raise ValueError("a consent item is listed twice")
        if "profile" in ids and {"profile_nickname", "profile_image"} & set(ids):
            raise ValueError("the old item 'profile' excludes profile_nickname and profile_image")

    @property
    def requires_token_redirect_uri(self) -> bool:
        """Whether a token call without `redirect_uri` is refused."""
        return self.strict or self.token_redirect_uri_required

    @property
    def allows_access_token_in_query(self) -> bool:
        """Whether `?access_token=` counts."""
        return self.access_token_in_query_allowed and not self.strict

    @property
    def allows_token_parameters_in_query(self) -> bool:
        """Whether the query of a token call counts."""
        return self.token_parameters_in_query_allowed and not self.strict

    @property
    def own_pictures(self) -> str | None:
        """Where the sandbox's own pictures are; None: the people's addresses are the providers'."""
        return f"{self.issuer}/sandbox/pictures" if self.picture_base is None else None

    def find_item(self, item_id: str) -> ConsentItem | None:
        """Return the consent item if it is configured."""
        return next((item for item in self.consent_items if item.id == item_id), None)
