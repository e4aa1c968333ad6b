"""HTTP calls to a provider: how many at once, how long, and what counts as an answer.

Nothing a provider sends, and nothing secret that we send, ends in an exception's text or in a log.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from threading import Condition
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.integrations.requests_client import OAuth2Session
from flask.config import Config
from requests import PreparedRequest, Request, RequestException, Response
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from kakaoauth.errors import ProviderBusy, ProviderUnavailable
from kakaoauth.providers.adapter import Adapter
from kakaoauth.providers.connections import MAX_BYTES as MAX_BYTES
from kakaoauth.providers.deadline import DeadlinePassed, deadline, time_left

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


#: Authlib's part has no types, and says other arguments.
_Requests: Any = requests.Session


class _Short(_Requests):
    """Below Authlib's client: leaves out what requests does for requests of any other kind."""

    def request(self, method: str, url: str, *args: Any, **said: Any) -> Response:
        """As requests'; where its settings come from nowhere but here, they need not be looked for."""
        said = {name: value for name, value in said.items() if value is not None}
        if args or self.trust_env or not said.keys() <= _PARTS:
            answer: Response = super().request(method, url, *args, **said)
            return answer
        response: Response = self.send(self.prepare_request(Request(method.upper(), url, **said)), proxies=self.proxies)
        return response

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Prepare a GET, or a form of texts, to an address of ours, without what requests does for any other one."""
        if not _is_plain(request):
            other: PreparedRequest = super().prepare_request(request)
            return other
        prepared = PreparedRequest()
        prepared.method, prepared.url, prepared.hooks = str(request.method), _normal_form(request.url), request.hooks
        prepared.headers = CaseInsensitiveDict({**self.headers, **(request.headers or {})})
        if request.params:
            prepared.url += f"?{urlencode(request.params)}"
        if request.method == "POST":
            prepared.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            prepared.body = urlencode(request.data)
        (request.auth or self.auth)(prepared)
        if request.method == "POST":
            prepared.headers["Content-Length"] = str(len(prepared.body or ""))
        return prepared


class Session(OAuth2Session, _Short):
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

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """:raises ProviderUnavailable: no answer, or none that can be used. :raises ProviderBusy:"""
        with self.transport.conversation(), _failures():
            kwargs["stream"] = True
            kwargs["timeout"] = (time_left(self.transport.connect_seconds), time_left(self.transport.read_seconds))
            response: Response = super().send(request, **kwargs)
            _read_whole(response)
            return response

    def get_redirect_target(self, resp: Response) -> None:
        """A redirected token call would carry the code and our secret to whomever the answer names: follow none."""


#: What a plain request may consist of.
_PARTS = frozenset(("params", "data", "headers", "auth"))


def _is_plain(request: Request) -> bool:
    if request.files or request.json is not None or request.cookies or not isinstance(request.url, str):
        return False
    if request.method == "GET":
        fields, is_fitting = request.params, not request.data and not (request.params and "?" in request.url)
    else:
        fields, is_fitting = request.data, request.method == "POST" and bool(request.data) and not request.params
    parts = (fields or {}, request.headers or {})
    are_texts = all(isinstance(part, dict) and all(type(text) is str for text in part.values()) for part in parts)
    return is_fitting and are_texts and (request.auth is None or isinstance(request.auth, AuthBase))


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
