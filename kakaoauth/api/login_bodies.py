"""What an app sends to log in: with what a provider gave it, or with a password."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, StringConstraints, Tag

from kakaoauth.api.schemas import Address, Code, Nonce, Token, Verifier
from kakaoauth.api.terms_schemas import ProviderLogin, SignUpAnswer


class AccessTokenLogin(SignUpAnswer):
    """A token that the provider's SDK has given the app."""

    access_token: Token


class CodeLogin(SignUpAnswer):
    """An authorization code, with what belongs to its authorization request."""

    code: Code
    redirect_uri: Address
    code_verifier: Verifier | None = None
    nonce: Nonce | None = None
    state: Nonce | None = None
    """Of the authorization request; Naver wants it beside its code."""


class NativeCodeLogin(SignUpAnswer):
    """A code that Apple has given a phone's app for itself, without a redirect address."""

    code: Code
    client_id: Nonce
    """The app's bundle id."""
    code_verifier: Verifier | None = None
    nonce: Nonce | None = None


class IdTokenLogin(SignUpAnswer):
    """An OpenID Connect id_token, with the nonce if one was sent for it."""

    id_token: Token
    nonce: Nonce | None = None


def _kind_of_login(value: Any) -> str | None:
    given = value if isinstance(value, dict) else vars(value)
    if given.get("code") is not None and given.get("client_id") is not None:
        return "native_code"
    return next((name for name in ("access_token", "code", "id_token") if given.get(name) is not None), None)


Login = Annotated[
    Annotated[AccessTokenLogin, Tag("access_token")]
    | Annotated[CodeLogin, Tag("code")]
    | Annotated[NativeCodeLogin, Tag("native_code")]
    | Annotated[IdTokenLogin, Tag("id_token")],
    Discriminator(
        _kind_of_login,
        custom_error_type="login",
        custom_error_message="one of access_token, code and id_token is needed",
    ),
]


class PasswordLogin(ProviderLogin):
    email: Annotated[str, StringConstraints(min_length=1, max_length=254), Field(examples=["boss@example.kr"])]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1000), Field(examples=["correct horse"])]
