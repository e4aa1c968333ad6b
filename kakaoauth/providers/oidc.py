"""Validate id_tokens (OpenID Connect Core, section 3.1.3.7; RFC 8725)."""

import hmac
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from threading import BoundedSemaphore, Lock
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, RSAKey
from joserfc.jws import JWSRegistry

from kakaoauth.errors import AppError, ProviderBusy, ProviderUnavailable, UntrustedIdentity
from kakaoauth.providers.deadline import deadline, time_left
from kakaoauth.providers.http import WAITING_FOR_KEYS

log = logging.getLogger(__name__)

#: Seconds a clock may be wrong.
LEEWAY = 60
#: Seconds the keys are used without asking. Kakao asks for them to be kept, and may block who asks too often.
FRESH = 3600
#: Seconds they are used when Kakao does not give new ones.
USABLE = 24 * 3600
#: Seconds between two attempts for the sake of an unknown key id: made-up ids must not become calls to Kakao.
BRAKE = 30
#: Seconds between two attempts after one that failed: the logins of an outage must not add to it, and its end is seen.
PAUSE = 1
#: Seconds that a thread waits for another one's attempt; the login's deadline comes first.
PATIENCE = 60
#: Seconds of a login that the keys' renewal may take while old ones would do.
RENEWAL = 1.5
#: Characters of the modulus of a 2048-bit key in base64url; smaller keys are not used (RFC 7518, section 3.3).
SMALLEST_MODULUS = 342

#: Up to 255 ASCII characters (OpenID Connect Core, section 2), as many as `Identity.subject` has room for; none that
#: cannot be seen, but for blanks inside.
SUBJECT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_HOSTILE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class UnknownForNow(UntrustedIdentity):
    """An unknown key id while the brake holds: it may be made up, or rotated in since we last asked."""


class OtherAudience(UntrustedIdentity):
    """Genuine, and made for another app."""


class TooOld(UntrustedIdentity):
    """Genuine, and over."""


class KeyStore:
    """The provider's signing keys, with their age. Safe for threads; one of them asks while the others go on."""

    def __init__(self, fetch: Callable[[], Mapping[str, Any]]) -> None:
        """:param fetch: gets the JWK set; raises AppError if it cannot."""
        self._fetch = fetch
        self._lock = Lock()
        self._waiting = BoundedSemaphore(WAITING_FOR_KEYS)
        self._keys: dict[str, RSAKey] = {}
        self._fetched_at = 0.0
        self._failed_at = 0.0
        #: When an unknown key id last made us ask while the keys were fresh.
        self._doubted_at = 0.0
        self._failed = True

    def find(self, kid: str) -> RSAKey:
        """Return the key of that id, asking the provider where that is needed and allowed.

        :raises UntrustedIdentity: the provider does not have it, or (UnknownForNow) did not when we last asked.
        :raises ProviderUnavailable: cannot be known now.
        """
        key = self._get(kid, FRESH)
        asked = False
        if key is None:
            asked = self._renew(kid)
            key = self._get(kid, USABLE)
        if key is not None:
            return key
        if self._failed:
            raise ProviderUnavailable("the provider's signing keys cannot be had")
        refusal = UntrustedIdentity if asked else UnknownForNow
        raise refusal("id_token: signed with a key the provider does not publish")

    def _renew(self, kid: str) -> bool:
        """Ask for the keys where that is needed and allowed; say whether it was done."""
        old_will_do = self._get(kid, USABLE) is not None
        if old_will_do and self._lock.locked():
            return False
        self._wait_for_turn()
        try:
            # Looked at under the lock: those who waited find the keys that the first one has got.
            if self._get(kid, FRESH) is None and self._may_ask():
                self._ask(RENEWAL if old_will_do else PATIENCE)
                return True
            return False
        finally:
            self._lock.release()

    def _wait_for_turn(self) -> None:
        """Get the lock. :raises ProviderBusy: too many wait for it. :raises ProviderUnavailable: it takes too long."""
        if self._lock.acquire(blocking=False):
            return
        if not self._waiting.acquire(blocking=False):
            raise ProviderBusy("too many wait for the provider's signing keys")
        try:
            if not self._lock.acquire(timeout=time_left(PATIENCE)):
                raise ProviderUnavailable("the provider's signing keys take too long")
        finally:
            self._waiting.release()

    def _may_ask(self) -> bool:
        if not self._within(self._fetched_at, FRESH):
            return not self._within(self._failed_at, BRAKE if self._within(self._fetched_at, USABLE) else PAUSE)
        if self._within(self._doubted_at, BRAKE):
            return False
        self._doubted_at = time.time()
        return True

    def _ask(self, seconds: float) -> None:
        self._failed, self._failed_at = True, time.time()
        try:
            with deadline(seconds):
                keys = usable_keys(self._fetch())
        except AppError as error:
            log.warning("signing keys not renewed: %s", error)
            return
        if not keys:
            log.warning("signing keys not renewed: no usable key in the answer")
            return
        self._keys, self._fetched_at, self._failed = keys, time.time(), False

    def _get(self, kid: str, max_age: float) -> RSAKey | None:
        return self._keys.get(kid) if self._within(self._fetched_at, max_age) else None

    @staticmethod
    def _within(then: float, seconds: float) -> bool:
        # A clock that was set back must not freeze the keys: the future counts as long ago.
        return 0 <= time.time() - then < seconds


def usable_keys(jwk_set: Mapping[str, Any]) -> dict[str, RSAKey]:
    """Return the RSA signing keys by id; others and broken ones are skipped (RFC 7517, section 5)."""
    found: dict[str, RSAKey] = {}
    entries = jwk_set.get("keys")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or not _is_for_us(entry):
            continue
        try:
            # Only these members: `x5u` and the like are never looked at.
            found[entry["kid"]] = RSAKey.import_key({"kty": "RSA", "n": entry["n"], "e": entry["e"]})
        except _HOSTILE:
            continue
    return found


def validate(
    id_token: object,
    keys: KeyStore,
    *,
    issuer: str | tuple[str, ...],
    audiences: Sequence[str],
    nonce: str | None,
    max_age: float | None = None,
    subjects: re.Pattern[str] = SUBJECT,
    any_party: bool = False,
) -> dict[str, Any]:
    """Return the claims of a genuine id_token that was made for this login.

    :param audiences: client ids it may be for. :param nonce: the request's; None if unknown. :param max_age: seconds
        since it was issued; None leaves that to `exp`. :param subjects: how the provider's ids for people look.
    :param any_party: do not compare `azp` with `aud`.
    :raises UntrustedIdentity: any doubt (OtherAudience, TooOld: no other). :raises ProviderUnavailable: no keys.
    """
    if not isinstance(id_token, str):
        raise UntrustedIdentity("id_token: not a text")

    def key_of(token: GuestProtocol) -> RSAKey:
        kid = token.headers().get("kid")
        if not isinstance(kid, str) or not kid:
            raise UntrustedIdentity("id_token: no key id")
        return keys.find(kid)

    # RS256, whatever the token's own header says; `jku`, `x5u`, `jwk` in it have no effect, unknown `crit` is an error.
    registry = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    try:
        token = jwt.decode(id_token, key_of, registry=registry)
    except _HOSTILE as error:
        raise UntrustedIdentity(f"id_token: {type(error).__name__}") from None
    claims = _id_token_claims(token)
    _check_parties(claims, (issuer,) if isinstance(issuer, str) else issuer, audiences, any_party=any_party)
    _check_subject(claims.get("sub"), subjects)
    _check_times(claims, max_age)
    if nonce is not None:
        _check_nonce(claims.get("nonce"), nonce)
    return claims


def _is_for_us(entry: Mapping[str, Any]) -> bool:
    return (
        entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and isinstance(entry.get("kid"), str)
        and bool(entry["kid"])
        and isinstance(entry.get("n"), str)
        and len(entry["n"]) >= SMALLEST_MODULUS
        and isinstance(entry.get("e"), str)
    )


def _id_token_claims(token: jwt.Token) -> dict[str, Any]:
    """Return the claims. The same key signs messages about accounts, for the same app: those are refused."""
    typ = str(token.header.get("typ")).lower().removeprefix("application/")
    if "events" in token.claims or typ == "secevent+jwt":
        raise UntrustedIdentity("id_token: a security event")
    return token.claims


def _check_parties(
    claims: Mapping[str, Any], issuers: tuple[str, ...], audiences: Sequence[str], *, any_party: bool
) -> None:
    if claims.get("iss") not in issuers:
        raise UntrustedIdentity("id_token: another issuer")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in audiences:
        raise OtherAudience("id_token: another audience")
    if not any_party and claims.get("azp", audience) != audience:
        raise OtherAudience("id_token: another authorized party")


def _check_subject(subject: object, pattern: re.Pattern[str]) -> None:
    if not isinstance(subject, str) or not pattern.fullmatch(subject):
        raise UntrustedIdentity("id_token: no usable subject")


def _check_nonce(theirs: object, ours: str) -> None:
    if not isinstance(theirs, str) or not theirs.isascii() or not theirs or not hmac.compare_digest(theirs, ours):
        raise UntrustedIdentity("id_token: nonce is missing or of another login")


def _check_times(claims: Mapping[str, Any], max_age: float | None) -> None:
    now = int(time.time())
    exp, iat = claims.get("exp"), claims.get("iat")
    if type(exp) is not int or type(iat) is not int:
        raise UntrustedIdentity("id_token: exp or iat is no number of seconds")
    # A token we have just been given is neither old nor from the future: our clock is the likelier culprit.
    if exp <= now - LEEWAY:
        log.error("id_token is %d seconds too old: check the clock of this machine", now - exp)
        raise TooOld("id_token: expired (check the clock)")
    if iat > now + LEEWAY:
        log.error("id_token is %d seconds from the future: check the clock of this machine", iat - now)
        raise UntrustedIdentity("id_token: issued in the future (check the clock)")
    if "nbf" in claims and (type(claims["nbf"]) is not int or claims["nbf"] > now + LEEWAY):
        raise UntrustedIdentity("id_token: not valid yet, or nbf is no number of seconds")
    if max_age is not None and iat < now - max_age - LEEWAY:
        raise TooOld("id_token: issued too long ago")
