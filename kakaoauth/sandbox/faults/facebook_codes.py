"""Facebook's error numbers with the status and words they come with, as far as these are known."""

from kakaoauth.sandbox.facebook.dialog_answer import DENIED
from kakaoauth.sandbox.facebook.errors import GraphError

EXPIRED = (
    "Error validating access token: Session has expired on Monday, 16-Nov-26 01:00:00 PST. The current time is Friday,"
    " 20-Nov-26 17:00:00 PST."
)
# name -> (code, subcode, message, type, status, is_transient); none of the statuses is documented
GRAPH_FAULTS: dict[str, tuple[int, int | None, str, str, int, bool]] = {
    "graph_1": (1, None, "An unknown error has occurred.", "OAuthException", 500, False),
    "graph_2": (2, None, "Service temporarily unavailable", "OAuthException", 503, True),
    "graph_4": (4, None, "(#4) Application request limit reached", "OAuthException", 403, True),
    "graph_10": (10, None, "(#10) Application does not have permission for this action", "OAuthException", 403, False),
    "graph_12": (12, None, "(#12) This API version is deprecated", "OAuthException", 400, False),
    "graph_17": (17, None, "(#17) User request limit reached", "OAuthException", 400, True),
    "graph_100": (100, None, "(#100) Invalid parameter", "OAuthException", 400, False),
    "graph_100_33": (100, 33, "Unsupported get request.", "GraphMethodException", 400, False),
    "graph_100_36007": (100, 36007, "This authorization code has expired.", "OAuthException", 400, False),
    "graph_100_36009": (100, 36009, "This authorization code has been used.", "OAuthException", 400, False),
    "graph_101": (101, None, "Error validating application. Invalid application ID.", "OAuthException", 400, False),
    "graph_102": (102, None, "Session key invalid or no longer valid", "OAuthException", 400, False),
    "graph_190": (190, None, "Invalid OAuth access token.", "OAuthException", 400, False),
    "graph_190_458": (190, 458, "The user has not authorized application.", "OAuthException", 400, False),
    "graph_190_459": (190, 459, "You cannot access the app till you log in.", "OAuthException", 400, False),
    "graph_190_460": (190, 460, "The session has been invalidated.", "OAuthException", 400, False),
    "graph_190_463": (190, 463, EXPIRED, "OAuthException", 400, False),
    "graph_190_464": (190, 464, "The user is not a confirmed user.", "OAuthException", 400, False),
    "graph_190_467": (190, 467, "The session is invalid.", "OAuthException", 400, False),
    "graph_191": (191, None, "Missing redirect_uri parameter.", "OAuthException", 400, False),
    "graph_200": (200, None, "(#200) Permissions error", "OAuthException", 403, False),
    "graph_341": (341, None, "(#341) Feed action request limit reached", "OAuthException", 400, True),
    "graph_368": (368, None, "The action attempted has been deemed abusive.", "OAuthException", 400, False),
    "graph_613": (613, None, "(#613) Calls to this api have exceeded the rate limit.", "OAuthException", 400, True),
    "graph_2500": (2500, None, "Unknown path components: /me", "OAuthException", 400, False),
    "graph_2635": (2635, None, "(#2635) You are calling a deprecated version.", "OAuthException", 400, False),
}
# Back to the site: name -> parameters. Those with a number have no `error` at all
DIALOG_FAULTS: dict[str, dict[str, str]] = {
    "dialog_access_denied": DENIED,
    "dialog_server_error": {"error": "server_error", "error_description": "Internal server error"},
    "dialog_temporarily_unavailable": {"error": "temporarily_unavailable", "error_description": "Try again later"},
    "dialog_2": {
        "error_code": "2",
        "error_message": "An unexpected error has occurred. Please retry your request later.",
    },
    "dialog_901": {"error_code": "901", "error_message": "This app is in sandbox mode."},
    "dialog_1349126": {"error_code": "1349126", "error_message": "App not active"},
}


def graph_fault(name: str, status: int | None) -> GraphError:
    """Return the error that a fault stands for; `status` replaces its HTTP status."""
    code, subcode, message, kind, usual, transient = GRAPH_FAULTS[name]
    challenge = (
        "invalid_token" if code in (102, 190) else "invalid_code" if subcode in (36007, 36009) else "invalid_request"
    )
    return GraphError(
        code, message, subcode, type=kind, status=status or usual, transient=transient, challenge=challenge
    )
