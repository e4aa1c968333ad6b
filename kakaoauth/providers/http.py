"""HTTP calls to a provider: how many at once, how long, and what counts as an answer.

Nothing a provider sends, and nothing secret that we send, ends in an exception's text or in a log.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from threading import Condition
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.requests_client import OAuth2Session
from flask.config import Config
from requests import PreparedRequest, Request, RequestException, Response
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from kakaoauth.errors import ProviderBusy, ProviderUnavailable
from kakaoauth.providers.adapter import Adapter
from kakaoauth.providers.connections import MAX_BYTES as MAX_BYTES
from kakaoauth.providers.deadline import DeadlinePassed, deadline, time_left

Texts = Mapping[str, str]
NONE: Texts = {}
#: What requests would else look for in the environment.
NOWHERE: Mapping[str, Any] = {"proxies": {}}

_calling: ContextVar["Transport | None"] = ContextVar("kakaoauth_transport", default=None)


class Transport:
    """What an app's calls to one provider share: connections, time limits, and the limit of calls in flight."""

    def __init__(
        self,
        *,
        seconds: float,
        connect_seconds: float,
        read_seconds: float,
        max_calls: int,
        proxy_from_env: bool = False,
    ) -> None:
        self.seconds = seconds
        self.connect_seconds = connect_seconds
        self.read_seconds = read_seconds
        self.proxy_from_env = proxy_from_env
        self.adapter = Adapter(max_calls)
        self._limit = ConcurrencyLimit(max_calls, waiting(max_calls))

    @contextmanager
    def conversation(self) -> Iterator[None]:
        """Hold one of the calls in flight, and one deadline, for all calls made inside. Within another: nothing.

        :raises ProviderBusy: too many others are waiting for the provider. :raises ProviderUnavailable: time is over.
        """
        if _calling.get() is self:
            yield
            return
        with self._limit.taken():
            mark = _calling.set(self)
            try:
                with deadline(self.seconds):
                    yield
            except DeadlinePassed:
                raise ProviderUnavailable("the provider used up the time for this login") from None
            finally:
                _calling.reset(mark)


class Session(OAuth2Session):
    """Authlib's client on a shared `Transport`. A returned answer is whole, and at most `MAX_BYTES` long."""

    def __init__(self, *args: Any, transport: Transport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transport = transport
        # Otherwise HTTPS_PROXY, REQUESTS_CA_BUNDLE and ~/.netrc would decide whom we talk to, and as whom.
        self.trust_env = transport.proxy_from_env
        self.auth = _no_password
        # A session may outlive a login, and a provider's cookie be somebody's.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.mount("https://", transport.adapter)
        self.mount("http://", transport.adapter)

    def prepare_request(self, request: Request) -> PreparedRequest:
        """As requests'. :raises ProviderUnavailable: what cannot be sent."""
        with _failures():
            prepared: PreparedRequest = super().prepare_request(request)
            return prepared

    def ask(self, method: str, address: str, headers: Texts, *, params: Texts = NONE, form: Texts = NONE) -> Response:
        """Send a request that is made of texts alone, without what requests and Authlib look for in any other one. The
        token of the session does not go along. :raises ProviderUnavailable: as `send`. :raises ProviderBusy:
        """
        prepared = PreparedRequest()
        prepared.method, prepared.url = method, _normal_form(address)
        prepared.headers = CaseInsensitiveDict({**self.headers, **headers})
        if params:
            prepared.url += f"{'&' if '?' in prepared.url else '?'}{urlencode(params)}"
        if form:
            prepared.body = urlencode(form)
            prepared.headers["Content-Length"] = str(len(prepared.body))
        settings = self.merge_environment_settings(prepared.url, {}, None, None, None) if self.trust_env else NOWHERE
        return self.send(prepared, **settings)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """:raises ProviderUnavailable: no answer, or none that can be used. :raises ProviderBusy:"""
        with self.transport.conversation(), _failures():
            kwargs["stream"] = True
            kwargs["timeout"] = (time_left(self.transport.connect_seconds), time_left(self.transport.read_seconds))
            response: Response = super().send(request, **kwargs)
            _read_whole(response)
            return response

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Response]:
        """A redirected token call would carry the code and our secret to whomever the answer names: follow none."""
        return iter(())


@lru_cache(maxsize=64)
def _normal_form(address: str) -> str:
    prepared = PreparedRequest()
    prepared.prepare_url(address, None)
    return prepared.url or ""


def transport_for(config: Config) -> Transport:
    """Build one provider's transport with the limits of the PROVIDER_ settings."""
    return Transport(
        seconds=config["PROVIDER_DEADLINE_SECONDS"],
        connect_seconds=config["PROVIDER_CONNECT_SECONDS"],
        read_seconds=config["PROVIDER_READ_SECONDS"],
        max_calls=config["PROVIDER_MAX_CALLS"],
        proxy_from_env=config["PROVIDER_PROXY_FROM_ENV"],
    )


def quiet_loggers() -> None:
    """Authlib's debug log holds the PKCE verifier; urllib3's holds addresses with their query, its warnings headers."""
    for name, level in (("authlib", logging.INFO), ("urllib3", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, level))


def read_json(response: Response) -> dict[str, Any]:
    """Return the JSON object an answer holds.

    :raises ProviderUnavailable: it holds anything else (maintenance pages are HTML).
    """
    if response.is_redirect or 300 <= response.status_code < 400:
        raise ProviderUnavailable("the provider answered with a redirect")
    kind = response.headers.get("Content-Type", "").lower()
    # Facebook has called its JSON a script at times.
    if kind and "json" not in kind and "javascript" not in kind:
        raise ProviderUnavailable(f"the provider's answer is not JSON (status {response.status_code})")
    try:
        body = json.loads(response.content.decode("utf-8"))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ProviderUnavailable(f"the provider's answer is no JSON object (status {response.status_code})")
    return body


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (RequestException, HTTPError, HTTPException, OSError, ValueError, RecursionError) as error:
        # Without the cause: its text quotes addresses and parts of the answer.
        raise ProviderUnavailable(f"no answer from the provider ({type(error).__name__})") from None


def _read_whole(response: Response) -> None:
    body = bytearray()
    for part in response.iter_content(65536):
        body += part
        if len(body) > MAX_BYTES:
            response.close()
            raise ProviderUnavailable("the provider's answer is too long")
    response._content = bytes(body)


def _no_password(request: PreparedRequest) -> PreparedRequest:
    """Authentication that adds nothing; its presence keeps requests from asking ~/.netrc."""
    return request


#: Seconds a login may wait for a place as long as the provider is quick: a burst is served one after the other.
WAIT_SECONDS = 4.0
#: Once a conversation has lasted so many seconds the provider is slow, and nobody waits for it any more: threads that
#: wait are threads that serve no other page.
SLOW_SECONDS = 2.5
#: Threads that may wait at once for another one to get a provider's signing keys.
WAITING_FOR_KEYS = 4


def waiting(calls: int) -> int:
    """Return how many may wait for a place among so many `calls`; the rest is told at once that it is slow."""
    return max(1, calls // 2)


def threads_held(calls: int) -> int:
    """Return how many threads of a process a silent provider can hold at most, with so many calls in flight."""
    return calls + waiting(calls) + WAITING_FOR_KEYS


class ConcurrencyLimit:
    """A bounded number of conversations, and of threads that wait for one. Safe for threads."""

    def __init__(self, number: int, waiting: int) -> None:
        self._number = number
        self._waiting = waiting
        self._changed = Condition()
        #: When each conversation began.
        self._begun: list[float] = []

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place.

        :raises ProviderBusy: none came free, none can be expected to, or too many are waiting for one.
        """
        with self._changed:
            self._wait_for_one()
            begun = time.monotonic()
            self._begun.append(begun)
        try:
            yield
        finally:
            with self._changed:
                self._begun.remove(begun)
                self._changed.notify()

    def _wait_for_one(self) -> None:
        if len(self._begun) < self._number:
            return
        if not self._waiting:
            raise ProviderBusy("too many wait for a call in flight")
        self._waiting -= 1
        try:
            give_up = time.monotonic() + WAIT_SECONDS
            while len(self._begun) >= self._number:
                patience = min(give_up, min(self._begun) + SLOW_SECONDS) - time.monotonic()
                if patience <= 0:
                    raise ProviderBusy("too many calls in flight")
                self._changed.wait(patience)
        finally:
            self._waiting += 1
