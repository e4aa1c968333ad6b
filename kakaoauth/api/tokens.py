"""Our own tokens: refreshed, looked at, ended; and the public keys for services that verify by themselves."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

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
from kakaoauth.audit import visitors
from kakaoauth.errors import ExpiredToken, InvalidAccessToken, MissingToken, RateLimited, SessionsUnavailable
from kakaoauth.sessions import logout
from kakaoauth.tokens import cookies, signing_keys
from kakaoauth.tokens import flows as token_flows
from kakaoauth.web import guards, rate_limits

bp = Blueprint("tokens", __name__)
bp.before_request(guards.anyone)

#: Seconds that other services may keep our public keys: an unknown `kid` makes them ask anew anyhow.
KEYS_SECONDS = 300


@bp.post(cookies.REFRESH_PATH)
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
        return answer(TokensOut, token_flows.refresh(body.refresh_token, visitors.visitor()))
    token = cookies.find_refresh_token()
    if token is None:
        raise MissingToken("no refresh token, neither in the body nor in a cookie")
    pair = token_flows.refresh(token, visitors.visitor())
    response = answer(CookiesOut, {"expires_in": pair.expires_in})
    cookies.put(response, pair)
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
    return answer(ActiveOut, token_flows.verify(body.token))


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
    token = body.token or cookies.find_access_token()
    response = jsonify({})
    if token:
        logout.end_family(token)
    if not body.token:
        cookies.clear(response)
    return response


@bp.get("/.well-known/jwks.json")
@operation("The public keys of our access tokens", answers={200: KeysOut})
def jwks() -> Response:
    """RFC 7517. Empty with HS256, whose key is a secret."""
    response = jsonify(keys=signing_keys.published())
    response.headers["Cache-Control"] = f"public, max-age={KEYS_SECONDS}"
    return response
