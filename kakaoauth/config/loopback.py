"""What tells that a request was forwarded to this machine: through a tunnel, everybody comes from 127.0.0.1."""

#: Headers that proxies and tunnels add, besides X-Forwarded-... and Cloudflare's CF-...
PROXY_HEADERS = frozenset(
    f"HTTP_{name}"
    for name in (
        *("FORWARDED", "VIA", "X_REAL_IP", "X_CLIENT_IP", "X_CLUSTER_CLIENT_IP", "X_ENVOY_EXTERNAL_ADDRESS"),
        *("TRUE_CLIENT_IP", "FASTLY_CLIENT_IP", "FLY_CLIENT_IP", "CDN_LOOP", "X_AZURE_CLIENTIP", "X_APPENGINE_USER_IP"),
    )
)


def is_of_a_proxy(name: str) -> bool:
    """Whether a proxy or a tunnel adds this request header. :param name: as in a WSGI environ."""
    return name in PROXY_HEADERS or name.startswith(("HTTP_X_FORWARDED", "HTTP_X_ORIGINAL_", "HTTP_CF_"))
