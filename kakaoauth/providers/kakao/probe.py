"""Ask Kakao whether an app is set up right, without a person: one harmless call per question.

No redirect is followed, no key is logged, and no answer is kept.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from flask.config import Config
from requests import RequestException, Response

from kakaoauth.errors import ProviderUnavailable
from kakaoauth.providers.http import Session, transport_for
from kakaoauth.providers.kakao.verdicts import (
    Reply,
    Verdict,
    is_trouble,
    read_discovery,
    read_ids,
    read_keys,
    read_page,
    read_token,
)

#: A code that nobody was given.
NO_CODE = "kakaoauth-doctor-has-no-code"
STATE = "kakaoauth-doctor"

Reader = Callable[[Response], Reply]


class Probe:
    """Asks with the app's own keys, each call under a deadline of its own."""

    def __init__(self, config: Config) -> None:
        self._transport = transport_for(config)
        self._kauth: str = config["KAKAO_KAUTH_URL"]
        self._kapi: str = config["KAKAO_KAPI_URL"]
        self._client_id: str = config["KAKAO_CLIENT_ID"]
        self._client_secret: str = config["KAKAO_CLIENT_SECRET"]
        self._admin_key: str = config["KAKAO_ADMIN_KEY"]
        #: Seconds that Kakao's clock is ahead of ours, one for each answer that could tell.
        self.offsets: list[float] = []

    def close(self) -> None:
        """Close all connections."""
        self._transport.adapter.shut()

    def discovery(self) -> Reply:
        """Is Kakao there, and is the issuer the one that id_tokens are compared with?"""

        def read(response: Response) -> Reply:
            return read_discovery(response, self._kauth)

        return self._ask(read, "GET", f"{self._kauth}/.well-known/openid-configuration")

    def keys(self) -> Reply:
        """Does Kakao publish signing keys that we can use?"""
        return self._ask(read_keys, "GET", f"{self._kauth}/.well-known/jwks.json")

    def client(self, redirect_uri: str) -> Reply:
        """Key and secret, by a code that does not exist: Kakao looks at the client first and answers KOE320."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "code": NO_CODE,
        }
        if self._client_secret:
            form["client_secret"] = self._client_secret
        return self._ask(read_token, "POST", f"{self._kauth}/oauth/token", data=form)

    def authorize(self, redirect_uri: str, items: tuple[str, ...] = ()) -> Reply:
        """Is the redirect address registered, and are these consent items configured?"""
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "prompt": "none",
            "state": STATE,
        }
        if items:
            query["scope"] = ",".join(items)

        def read(response: Response) -> Reply:
            return read_page(response, redirect_uri, items)

        return self._ask(read, "GET", f"{self._kauth}/oauth/authorize", params=query)

    def logout(self, return_to: str) -> Reply:
        """Is the logout redirect address registered?"""
        query = {"client_id": self._client_id, "logout_redirect_uri": return_to, "state": STATE}

        def read(response: Response) -> Reply:
            reply = read_page(response, return_to, ())
            # Kakao asks the person on a page of its own whether to log out.
            is_page = response.status_code == 200 and "html" in response.headers.get("Content-Type", "").lower()
            if reply.verdict is Verdict.UNCLEAR and not reply.code and is_page:
                return Reply(Verdict.FINE)
            return reply

        return self._ask(read, "GET", f"{self._kauth}/oauth/logout", params=query)

    def admin(self) -> Reply:
        """The admin key, by the shortest list of user ids there is."""
        if not self._admin_key.isascii():
            return Reply(Verdict.REFUSED, "-401")
        headers = {"Authorization": f"KakaoAK {self._admin_key}"}
        return self._ask(read_ids, "GET", f"{self._kapi}/v1/user/ids", params={"limit": "1"}, headers=headers)

    def clock_offset(self) -> float | None:
        """The smallest offset seen: a slow answer can only make one look larger."""
        return min(self.offsets, key=abs, default=None)

    def _ask(self, read: Reader, method: str, url: str, **kwargs: Any) -> Reply:
        try:
            response = self._call(method, url, **kwargs)
            reply = read(response)
        except ProviderUnavailable as error:
            return Reply(Verdict.DOWN, error.provider_code, error.reason)
        if reply.verdict is Verdict.UNCLEAR and is_trouble(response.status_code):
            return Reply(Verdict.DOWN, reply.code, f"status {response.status_code}")
        return reply

    def _call(self, method: str, url: str, **kwargs: Any) -> Response:
        """:raises ProviderUnavailable:"""
        begun = time.time()
        with Session(transport=self._transport) as session:
            try:
                response: Response = session.request(method, url, withhold_token=True, allow_redirects=False, **kwargs)
            except (RequestException, ValueError) as error:
                # Without the cause: its text quotes what was asked for.
                raise ProviderUnavailable(f"the call cannot be made ({type(error).__name__})") from None
        # What a cache between us has kept tells an old time.
        if "Age" not in response.headers:
            self._note_time(response.headers.get("Date", ""), begun)
        return response

    def _note_time(self, date: str, begun: float) -> None:
        try:
            theirs = parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            return
        # The header was written between question and answer, in whole seconds.
        early, late = begun - 1, time.time()
        self.offsets.append(theirs - late if theirs > late else theirs - early if theirs < early else 0.0)
