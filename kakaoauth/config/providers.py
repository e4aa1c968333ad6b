"""Settings of the providers that have a client id, a secret and addresses: what is refused, and the sandbox's."""

from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kakaoauth.config import sandbox
from kakaoauth.config.checks import ConfigError, is_loopback

#: Provider -> what it cannot do without besides its client id, and where that is found.
NEEDED: dict[str, dict[str, str]] = {
    "NAVER": {"CLIENT_SECRET": "at developers.naver.com under Application > 개요"},
    "APPLE": dict.fromkeys(
        ("TEAM_ID", "KEY_ID", "PRIVATE_KEY"), "at developer.apple.com under Certificates, Identifiers & Profiles > Keys"
    ),
    "GOOGLE": {"CLIENT_SECRET": "in the Google Cloud console under Google Auth Platform > Clients"},
}
#: Provider -> its addresses. The sandbox has a folder for each provider.
ADDRESSES: dict[str, tuple[str, ...]] = {
    "NAVER": ("NID_URL", "OPENAPI_URL"),
    "APPLE": ("URL",),
    "GOOGLE": ("ACCOUNTS_URL", "OAUTH_URL", "APIS_URL", "OPENID_URL"),
}
#: Provider -> what makes half a configuration when it stands alone.
MORE: dict[str, tuple[str, ...]] = {
    "NAVER": ("REDIRECT_URI",),
    **dict.fromkeys(("GOOGLE", "APPLE"), ("REDIRECT_URI", "ID_TOKEN_AUDIENCES")),
}
#: Provider -> its app in the sandbox.
SANDBOX: dict[str, dict[str, str]] = {
    "APPLE": {
        "CLIENT_ID": sandbox.SANDBOX_APPLE_CLIENT_ID,
        "TEAM_ID": sandbox.SANDBOX_APPLE_TEAM_ID,
        "KEY_ID": sandbox.SANDBOX_APPLE_KEY_ID,
        "PRIVATE_KEY": sandbox.SANDBOX_APPLE_PRIVATE_KEY,
    },
    "NAVER": {"CLIENT_ID": sandbox.SANDBOX_NAVER_CLIENT_ID, "CLIENT_SECRET": sandbox.SANDBOX_NAVER_CLIENT_SECRET},
    "GOOGLE": {"CLIENT_ID": sandbox.SANDBOX_GOOGLE_CLIENT_ID, "CLIENT_SECRET": sandbox.SANDBOX_GOOGLE_CLIENT_SECRET},
}


def embed(values: dict[str, Any]) -> None:
    """The sandbox's imitations are asked for by their client ids. :raises ConfigError: beside the real Kakao."""
    for provider, own in SANDBOX.items():
        if values[f"{provider}_CLIENT_ID"] != own["CLIENT_ID"]:
            continue
        if "kakao" not in values["KAKAOAUTH_EMBEDDED"]:
            raise ConfigError(f"{provider}_CLIENT_ID is the sandbox's: set your app's id, or remove it")
        values.update({f"{provider}_{name}": value for name, value in own.items()})
        address = f"{values['KAKAO_KAUTH_URL']}/{provider.lower()}"
        values.update({f"{provider}_{name}": address for name in ADDRESSES[provider]})


def check(values: dict[str, Any], defaults: type) -> None:
    """A provider is off, or has all it needs. :raises ConfigError: half a configuration, or an odd address."""
    _check_private_key(values)
    for provider, needed in NEEDED.items():
        addresses = ADDRESSES[provider]
        for name in (*addresses, "REDIRECT_URI"):
            _check_address(f"{provider}_{name}", values[f"{provider}_{name}"])
        if values[f"{provider}_CLIENT_ID"]:
            for name, where in needed.items():
                if not values[f"{provider}_{name}"]:
                    raise ConfigError(f"{provider}_CLIENT_ID is set but {provider}_{name} is not: it is found {where}")
            continue
        for name in (*needed, *MORE[provider], *addresses):
            if values[f"{provider}_{name}"] != getattr(defaults, f"{provider}_{name}"):
                raise ConfigError(
                    f"{provider}_{name} is set but {provider}_CLIENT_ID is not: set {provider}_CLIENT_ID, or remove"
                    f" {provider}_{name}"
                )


def _check_private_key(values: dict[str, Any]) -> None:
    """Apple's key signs at each login: a broken one must not wait for the first."""
    values["APPLE_PRIVATE_KEY"] = pem = values["APPLE_PRIVATE_KEY"].replace("\\n", "\n").strip()
    if not pem:
        return
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError("APPLE_PRIVATE_KEY must be the content of the .p8 file that Apple gave for the key")


def normalise(values: dict[str, Any]) -> None:
    """Addresses without a slash at their end."""
    for provider, names in ADDRESSES.items():
        for name in names:
            values[f"{provider}_{name}"] = values[f"{provider}_{name}"].rstrip("/")


def _check_address(name: str, value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.query or parts.fragment or parts.username:
        raise ConfigError(f"{name} must be an absolute address that begins with https://")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(f"{name} must use https:// (plain http:// only on this machine)")
