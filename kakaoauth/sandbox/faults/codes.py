"""Kakao's error numbers with the status and words they come with, as far as these are known."""

# On a page: what the browser shows instead of going back to the site
PAGE_CODES = (
    *("KOE001", "KOE002", "KOE003", "KOE004", "KOE005", "KOE006", "KOE007", "KOE008", "KOE023"),
    *("KOE101", "KOE102", "KOE201", "KOE202", "KOE203", "KOE204", "KOE205", "KOE207"),
)

# In JSON: code -> (error, error_description, status); statuses of KOE003, 101, 114, 126, 127, 237 and 319
# are not documented, nor are the names and words of KOE114 to 127
KAUTH_CODES: dict[str, tuple[str, str, int]] = {
    "KOE001": ("invalid_request", "malformed request", 400),
    "KOE002": ("invalid_request", "no such address", 404),
    "KOE003": ("server_error", "temporary error, try again", 500),
    "KOE004": ("misconfigured", "Kakao Login is not activated", 400),
    "KOE008": ("invalid_client", "wrong type of app key", 401),
    "KOE009": ("misconfigured", "invalid android_key_hash or ios_bundle_id or web_site_url", 400),
    "KOE010": ("invalid_client", "Bad client credentials", 401),
    "KOE101": ("invalid_client", "Not exist client_id [null]", 401),
    "KOE114": ("invalid_grant", "Application ID mismatch", 400),
    "KOE126": ("misconfigured", "the app is not configured for this request", 400),
    "KOE127": ("misconfigured", "ip mismatched! check out registered ips.", 401),
    "KOE237": ("invalid_request", "token request rate limit exceeded", 400),
    "KOE303": ("invalid_grant", "Redirect URI mismatch.", 400),
    "KOE310": ("unsupported_grant_type", "unsupported grant_type: null", 400),
    "KOE319": ("invalid_grant", "refresh_token is missing", 400),
    "KOE320": ("invalid_grant", "authorization code not found for code={code}", 400),
    "KOE322": ("invalid_grant", "expired_or_invalid_refresh_token", 400),
    "KOE400": ("invalid_token", "id_token is missing or malformed", 400),
    "KOE401": ("invalid_token", "issuer mismatch", 400),
    "KOE402": ("invalid_token", "invalid signature", 400),
    "KOE403": ("invalid_token", "expired id_token", 400),
}
TOKENINFO_CODES = frozenset({"KOE400", "KOE401", "KOE402", "KOE403"})
REFRESH_ONLY = frozenset({"KOE319", "KOE322"})
CODE_ONLY = frozenset({"KOE114", "KOE303", "KOE320"})

# kapi: code -> (msg, status). 400 also where no status is documented
KAPI_CODES: dict[int, tuple[str, int]] = {
    -1: ("internal server error.", 400),
    -2: ("wrong or missing parameter.", 400),
    -3: ("this feature is not activated, or not allowed for this admin key.", 403),
    -4: ("this account is blocked.", 403),
    -5: ("permission denied", 403),
    -6: ("this action is not allowed.", 403),
    -7: ("service maintenance or internal problem.", 400),
    -8: ("wrong header.", 400),
    -9: ("this API has ended.", 400),
    -10: ("API limit has been exceeded.", 429),
    -11: ("quota of the paid API has been exceeded.", 400),
    -12: ("the app or the developer account is sanctioned.", 403),
    -13: ("the app is suspended after long inactivity.", 403),
    -101: ("this user is not linked to the app", 400),
    -102: ("already registered", 400),
    -103: ("dormant or non-existent account.", 400),
    -201: ("user property not found ([gender, age] for appId={app_id})", 400),
    -301: ("no such app.", 400),
    -401: ("this access token does not exist", 401),
    -402: ("insufficient scopes.", 403),
    -405: ("age verification is required.", 400),
    -406: ("under age 14.", 401),
    -501: ("not a KakaoTalk user.", 400),
    -602: ("image is too large.", 400),
    -603: ("internal timeout.", 400),
    -606: ("too many images.", 400),
    -903: ("key or token of an unregistered developer.", 400),
    -911: ("unsupported image format.", 400),
    -9798: ("service is under maintenance.", 503),
}

# Back to the site: error -> error_description
REDIRECT_ERRORS: dict[str, str] = {
    "access_denied": "User denied access",
    "under_14": "Not allowed under age 14",
    "login_required": "user authentication required.",
    "consent_required": "user consent required.",
    "interaction_required": "need to collect additional personal information.",
    "invalid_request": "invalid request.",
    "invalid_scope": "invalid scope.",
    "server_error": "internal server error.",
    "temporarily_unavailable": "try again later.",
    "unauthorized_client": "the app is sanctioned.",
    "auto_login": "auto login failed.",
}
