"""Our own tokens: refreshed, looked at, ended; and the public keys for services that verify by themselves."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from kakaoauth import edge, flows, guards, rate_limits, signing_keys, token_cookies
from kakaoauth.api.operation import answer, operation
from kakaoauth.api.schemas import (
    ActiveOut,
    CookiesOut,
    KeysOut,
    NothingOut,
    RefreshRequest,
    RevokeRequest,
    TokensOut,
    VerifyRequest,
)
from kakaoauth.errors import ExpiredToken, InvalidAccessToken, MissingToken, RateLimited, SessionsUnavailable

bp = Blueprint("tokens", __name__)
bp.before_request(guards.anyone)

#: Seconds that other services may keep our public keys: an unknown `kid` makes them ask anew anyhow.
KEYS_SECONDS = 300


@bp.post(token_cookies.REFRESH_PATH)
@guards.guarded(rate_limits.per_address("refresh"))
@operation(
    "Get the next pair of tokens",
    body=RefreshRequest,
    body_optional=True,
    answers={200: TokensOut | CookiesOut},
    errors=(InvalidAccessToken, ExpiredToken, RateLimited, SessionsUnavailable),
)
def refresh(body: RefreshRequest) -> ResponseReturnValue:
    """Each refresh token works once; one that is used again ends every token of that login.

    A client that has lost the answer may ask again within ten seconds. A browser sends the token in its cookie, without
    a body, and gets the next ones as cookies.
    """
    if body.refresh_token:
        return answer(TokensOut, flows.refresh(body.refresh_token, edge.visitor()))
    token = token_cookies.find_refresh_token()
    if token is None:
        raise MissingToken("no refresh token, neither in the body nor in a cookie")
    pair = flows.refresh(token, edge.visitor())
    response = answer(CookiesOut, {"expires_in": pair.expires_in})
    token_cookies.put(response, pair)
    return response


@bp.post("/api/token/verify/")
@guards.guarded(rate_limits.per_address("verify"))
@operation(
    "Ask whether an access token is good now",
    body=VerifyRequest,
    answers={200: ActiveOut},
    errors=(InvalidAccessToken, ExpiredToken, RateLimited, SessionsUnavailable),
)
def verify(body: VerifyRequest) -> ResponseReturnValue:
    """Unlike a verification with the public key this knows of suspensions and logouts."""
    return answer(ActiveOut, flows.verify(body.token))


@bp.post("/api/token/revoke/")
@operation(
    "End the login a token belongs to",
    body=RevokeRequest,
    body_lenient=True,
    answers={200: NothingOut},
)
def revoke(body: RevokeRequest) -> ResponseReturnValue:
    """200 also for a token that is not known (RFC 7009, section 2.2), and for a body that names none: there is nothing
    that the caller could do about it. 400 only where a browser's cookie came without the header that belongs to it. In
    a browser the cookies go as well."""
    token = body.token or token_cookies.find_access_token()
    response = jsonify({})
    if token:
        flows.end_family(token)
    if not body.token:
        token_cookies.clear(response)
    return response


@bp.get("/.well-known/jwks.json")
@operation("The public keys of our access tokens", answers={200: KeysOut})
def jwks() -> Response:
    """RFC 7517. Empty with HS256, whose key is a secret."""
    response = jsonify(keys=signing_keys.published())
    response.headers["Cache-Control"] = f"public, max-age={KEYS_SECONDS}"
    return response
