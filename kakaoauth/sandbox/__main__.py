"""`python -m kakaoauth.sandbox`: serve the sandbox by itself. Loads Flask and joserfc, and nothing of the site."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kakaoauth.sandbox.app import create_sandbox
from kakaoauth.sandbox.server import bind, run
from kakaoauth.sandbox.state.apple_settings import AppleSettings
from kakaoauth.sandbox.state.facebook_settings import FacebookSettings
from kakaoauth.sandbox.state.file import StateFileError
from kakaoauth.sandbox.state.google_settings import GoogleSettings
from kakaoauth.sandbox.state.naver_settings import NaverSettings
from kakaoauth.sandbox.state.settings import SandboxSettings

SITE = "http://localhost:8000"
PROG = "python -m kakaoauth.sandbox"


def settings_from(arguments: Sequence[str], *, prog: str = PROG) -> tuple[SandboxSettings, int]:
    """Read the command line. :raise SystemExit: it makes no sense; the reason is on standard error."""
    parser = _parser(prog)
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= 65535:
        parser.error(f"--port {given.port}: choose one from 1 to 65535")
    try:
        return _settings(given), given.port
    except ValueError as error:
        parser.error(str(error))


def main(arguments: Sequence[str] | None = None, *, prog: str = PROG) -> None:
    """Serve until interrupted; a port or a state file that cannot be used ends it with one line.

    :param arguments: the command line's own if not given.
    """
    settings, port = settings_from(sys.argv[1:] if arguments is None else arguments, prog=prog)
    try:
        with bind(create_sandbox(settings), port) as server:
            print(f"sandbox on {settings.issuer} for the app {settings.client_id}; Ctrl-C ends it", flush=True)
            run(server)
    except StateFileError as error:
        sys.exit(f"kakaoauth.sandbox: {error}")
    except OSError as error:
        sys.exit(f"kakaoauth.sandbox: port {port} cannot be used ({error.strerror}): choose another with --port")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description="A local imitation of five logins: Kakao, Facebook, Naver, Google, Apple."
    )
    parser.add_argument("--port", type=int, default=8001, help="on 127.0.0.1; 8001 if not given")
    parser.add_argument("--strict", action="store_true", help="refuse what Kakao's documents do not allow")
    parser.add_argument("--client-id", default="5a9db0c5a9db0c5a9db0c5a9db0c0001", metavar="KEY", help="REST API key")
    parser.add_argument("--client-secret", default="SandboxSecretNotForKakao00000001", metavar="SECRET")
    parser.add_argument("--no-client-secret", action="store_true", help="the console's switch is OFF")
    parser.add_argument("--admin-key", default="5a9db0c5a9db0c5a9db0c5a9db0cad31", metavar="KEY")
    parser.add_argument("--app-id", type=int, default=100001, metavar="NUMBER")
    for name in (
        *("--redirect-uri", "--logout-redirect-uri", "--facebook-redirect-uri"),
        *("--naver-redirect-uri", "--google-redirect-uri", "--apple-redirect-uri"),
    ):
        parser.add_argument(name, action="append", metavar="URI", help="may be given more than once")
    parser.add_argument("--unlink-webhook-url", metavar="URL", help="an address on this computer")
    parser.add_argument("--account-status-webhook-url", metavar="URL", help="an address on this computer")
    parser.add_argument("--no-oidc", action="store_true", help="OpenID Connect is OFF")
    parser.add_argument(
        "--picture-base",
        metavar="URL",
        help="give picture addresses like the providers' (Kakao's begin with this) instead of the sandbox's own",
    )
    parser.add_argument("--state-file", type=Path, metavar="PATH", help="remember people, links, tokens and keys here")
    return parser


def _settings(given: argparse.Namespace) -> SandboxSettings:
    facebook_uris = given.facebook_redirect_uri or [f"{SITE}/facebook/login/callback/"]
    return SandboxSettings(
        client_id=given.client_id,
        client_secret=None if given.no_client_secret else given.client_secret,
        admin_key=given.admin_key,
        app_id=given.app_id,
        redirect_uris=tuple(given.redirect_uri or [f"{SITE}/kakao/login/callback/"]),
        logout_redirect_uris=tuple(given.logout_redirect_uri or [f"{SITE}/kakao/logout/callback/"]),
        issuer=f"http://127.0.0.1:{given.port}",
        oidc=not given.no_oidc,
        state_file=given.state_file,
        unlink_webhook_url=given.unlink_webhook_url,
        account_status_webhook_url=given.account_status_webhook_url,
        strict=given.strict,
        picture_base=given.picture_base,
        facebook=FacebookSettings(redirect_uris=tuple(facebook_uris)),
        naver=NaverSettings(redirect_uris=_callbacks(given, "naver")),
        google=GoogleSettings(redirect_uris=_callbacks(given, "google")),
        apple=AppleSettings(redirect_uris=_callbacks(given, "apple")),
    )


def _callbacks(given: argparse.Namespace, provider: str) -> tuple[str, ...]:
    return tuple(getattr(given, f"{provider}_redirect_uri") or [f"{SITE}/{provider}/login/callback/"])


if __name__ == "__main__":
    main()
