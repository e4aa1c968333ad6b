"""How Facebook refuses: a page of the dialog's own, or a Graph error."""

import re
import secrets
from typing import Any

from kakaoauth.sandbox.errors import Refusal

GRAPH_PATH = re.compile(r"/v[0-9]+\.[0-9]+/|/me(?:/|$)|/debug_token$|/oauth/access_token$|/[0-9]+(?:/|$)")


class DialogError(Refusal):
    """Shown to the person in the dialog; the site never hears of it. `why` names the text."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.detail = detail


class GraphError(Refusal):
    """{"error": {"message", "type", "code", "error_subcode", "fbtrace_id"}}"""

    def __init__(
        self,
        code: int,
        message: str,
        subcode: int | None = None,
        *,
        type: str = "OAuthException",
        status: int = 400,
        transient: bool = False,
        challenge: str = "invalid_request",
    ) -> None:
        super().__init__(str(code))
        self.status = status
        self._message = message
        self._challenge = challenge if type == "OAuthException" else None
        error: dict[str, Any] = {"message": message, "type": type}
        if transient:
            error["is_transient"] = True
        error["code"] = code
        if subcode is not None:
            error["error_subcode"] = subcode
        self.body = {"error": error}

    def answer(self) -> dict[str, Any]:
        """Return the body, with a trace id that is new each time."""
        return {"error": self.body["error"] | {"fbtrace_id": f"A{secrets.token_urlsafe(17)[:22]}"}}

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that goes with an OAuthException."""
        if self._challenge is None:
            return {}
        words = re.sub(r"[^ !#-~]", "?", self._message)[:300]
        return {"WWW-Authenticate": f'OAuth "Facebook Platform" "{self._challenge}" "{words}"'}


def is_graph_path(path: str) -> bool:
    """Whether an error at this path is answered as the Graph API does."""
    return "/dialog/oauth" not in path and GRAPH_PATH.match(path) is not None
