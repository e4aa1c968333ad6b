"""The names under which faults, admin-key rights and the log know Kakao's and Facebook's addresses."""

from flask import Request

# Flask's endpoint -> the name; the token endpoint has two, see name_of
NAMES = {
    "authorize.authorize": "authorize",
    "token.token": "token",
    "logout.ask": "oauth_logout",
    "oidc.discovery": "discovery",
    "oidc.jwks": "jwks",
    "oidc.tokeninfo": "tokeninfo",
    "oidc.userinfo": "userinfo",
    "kapi.me": "user_me",
    "kapi.access_token_info": "access_token_info",
    "kapi.logout": "logout",
    "kapi.unlink": "unlink",
    "kapi.signup": "signup",
    "kapi.ids": "ids",
    "scopes.scopes": "scopes",
    "scopes.revoke": "revoke_scopes",
    "facebook_dialog.dialog": "dialog",
    "facebook_exchange.access_token": "graph_token",
    "facebook_graph.user": "graph_user",
    "facebook_graph.debug_token": "graph_debug_token",
    "facebook_graph.permissions": "graph_permissions",
    "facebook_graph.deauthorize": "graph_permissions",
}
PAGES = frozenset({"authorize", "oauth_logout"})
TOKENS = frozenset({"token", "refresh"})
KAUTH = TOKENS | {"tokeninfo", "discovery", "jwks"}
KAPI = frozenset(
    {"user_me", "access_token_info", "logout", "unlink", "signup", "ids", "scopes", "revoke_scopes", "userinfo"}
)
DIALOG = frozenset({"dialog"})
GRAPH = frozenset({"graph_token", "graph_user", "graph_debug_token", "graph_permissions"})
ALL = PAGES | KAUTH | KAPI | DIALOG | GRAPH
ADMIN_APIS = frozenset({"user_me", "logout", "unlink", "ids", "scopes", "revoke_scopes"})


def name_of(request: Request) -> str | None:
    """Return the name of the address that was called, or None for the sandbox's own pages and steps."""
    name = NAMES.get(request.endpoint or "")
    if name == "token" and request.form.get("grant_type", request.args.get("grant_type")) == "refresh_token":
        return "refresh"
    return name
