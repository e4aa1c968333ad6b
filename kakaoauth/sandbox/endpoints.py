"""The names under which faults, admin-key rights and the log know the providers' addresses."""

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
    "service_terms.show": "service_terms",
    "service_terms.revoke": "revoke_service_terms",
    "service_terms.upgrade": "upgrade_service_terms",
    "facebook_dialog.dialog": "dialog",
    "facebook_exchange.access_token": "graph_token",
    "facebook_graph.user": "graph_user",
    "facebook_graph.debug_token": "graph_debug_token",
    "facebook_graph.permissions": "graph_permissions",
    "facebook_graph.deauthorize": "graph_permissions",
    "naver_login.authorize": "naver_authorize",
    "naver_token.token": "naver_token",
    "naver_token.oidc_token": "naver_oidc_token",
    "naver_token.revoke": "naver_revoke",
    "naver_api.me": "naver_me",
    "naver_api.verify": "naver_verify",
    "naver_api.discovery": "naver_discovery",
    "naver_api.jwks": "naver_jwks",
    "google_login.authorize": "google_authorize",
    "google_token.token": "google_token",
    "google_token.revoke": "google_revoke",
    "google_oidc.userinfo": "google_userinfo",
    "google_oidc.tokeninfo": "google_tokeninfo",
    "google_oidc.discovery": "google_discovery",
    "google_oidc.certs": "google_jwks",
    "google_events.configuration": "google_risc",
    "apple_login.authorize": "apple_authorize",
    "apple_token.token": "apple_token",
    "apple_token.revoke": "apple_revoke",
    "apple_oidc.discovery": "apple_discovery",
    "apple_oidc.keys": "apple_jwks",
}
PAGES = frozenset({"authorize", "oauth_logout"})
TOKENS = frozenset({"token", "refresh"})
KAUTH = TOKENS | {"tokeninfo", "discovery", "jwks"}
KAPI = frozenset(
    {
        *("user_me", "access_token_info", "logout", "unlink", "signup", "ids", "scopes", "revoke_scopes", "userinfo"),
        *("service_terms", "revoke_service_terms", "upgrade_service_terms"),
    }
)
DIALOG = frozenset({"dialog"})
GRAPH = frozenset({"graph_token", "graph_user", "graph_debug_token", "graph_permissions"})
ACCOUNT_PAGES = frozenset({"naver_authorize", "google_authorize", "apple_authorize"})
ACCOUNT_TOKENS = frozenset({"naver_token", "naver_oidc_token", "google_token", "apple_token"})
ACCOUNT_REVOKE = frozenset({"naver_revoke", "google_revoke", "apple_revoke"})
ACCOUNT_DISCOVERY = frozenset({"naver_discovery", "google_discovery", "apple_discovery", "google_risc"})
NAVER_API = frozenset({"naver_me", "naver_verify"})
ACCOUNT_JSON = (
    ACCOUNT_TOKENS
    | ACCOUNT_REVOKE
    | ACCOUNT_DISCOVERY
    | NAVER_API
    | {"google_userinfo", "google_tokeninfo", "naver_jwks", "google_jwks", "apple_jwks"}
)
ALL = PAGES | KAUTH | KAPI | DIALOG | GRAPH | ACCOUNT_PAGES | ACCOUNT_JSON
ADMIN_APIS = frozenset(
    {
        *("user_me", "logout", "unlink", "ids", "scopes", "revoke_scopes"),
        *("service_terms", "revoke_service_terms", "upgrade_service_terms"),
    }
)


def name_of(request: Request) -> str | None:
    """Return the name of the address that was called, or None for the sandbox's own pages and steps."""
    name = NAMES.get(request.endpoint or "")
    if name == "token" and request.form.get("grant_type", request.args.get("grant_type")) == "refresh_token":
        return "refresh"
    return name
