"""The webhooks' addresses. A provider proves a message by a key or a signature, never by a cookie."""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urljoin

from flask import Blueprint, abort, current_app, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from kakaoauth.providers import get_provider
from kakaoauth.providers.base import Provider, SetRefused
from kakaoauth.providers.kakao.profile import SUBJECT
from kakaoauth.providers.values import UNTIMED, AccountEvent
from kakaoauth.web import guards, rate_limits
from kakaoauth.web.redirects import callback_address
from kakaoauth.webhooks import deletions, receiving

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")
bp.before_request(guards.anyone)  # each view proves its caller by itself: one by a key, one by a signature

#: Pages that a provider shows to people.
pages = Blueprint("webhook_pages", __name__)
pages.before_request(guards.anyone)

log = logging.getLogger("kakaoauth.audit")

#: A message has about 1 kB.
MAX_BYTES = 64 * 1024


@bp.route("/kakao/unlink/", methods=["GET", "POST"])
def kakao_unlink() -> ResponseReturnValue:
    """Kakao's unlink webhook. Kakao does not repeat it: once the caller is authentic the answer is 200, also for
    people we do not know, and 503 only if the message could be stored nowhere."""
    get_provider("kakao")
    _require_admin_key()
    parameters = request.args if request.method == "GET" else request.form
    app_id = current_app.config["KAKAO_APP_ID"]
    if app_id and parameters.get("app_id") != str(app_id):
        abort(400)
    subject = parameters.get("user_id", "")
    if SUBJECT.fullmatch(subject):
        now = datetime.now(UTC)
        _receive("kakao", AccountEvent(f"{UNTIMED}{subject}-{now.timestamp()}", "user-unlinked", subject, now))
    return "", 200


@bp.post("/kakao/account-status/")
def kakao_account_status() -> ResponseReturnValue:
    """Kakao's account-status webhook: RFC 8935. 202, or 400 with `err` and `description`."""
    return _security_event("kakao")


@bp.post("/naver/disconnect/")
def naver_disconnect() -> ResponseReturnValue:
    """Naver's message of a disconnect: 204, or 400. Its fields come as a form or, as in Naver's sample, in the
    address."""
    provider = get_provider("naver")
    request.max_content_length = MAX_BYTES
    fields = request.form or request.args
    event = _read_event(provider, urlencode(list(fields.items(multi=True))))
    _receive(provider.name, event)
    return "", 204


@bp.post("/apple/notifications/")
def apple_notifications() -> ResponseReturnValue:
    """Apple's server-to-server notifications: 200, or 400. A JWT in `payload`, of JSON or, as seen too, of a form.

    JSON is read whatever the message calls it: the signature decides, and one that was refused is somebody who is still
    logged in.
    """
    provider = get_provider("apple")
    request.max_content_length = MAX_BYTES
    body = request.form or _json()
    payload = body.get("payload") if isinstance(body, Mapping) else None
    event = _read_event(provider, payload if isinstance(payload, str) else "")
    _receive(provider.name, event)
    return "", 200


@bp.post("/google/events/")
def google_events() -> ResponseReturnValue:
    """Google's security events (Cross-Account Protection): 202, or 400 with `err` and `description`."""
    return _security_event("google")


@bp.post("/facebook/deauthorize/")
def facebook_deauthorize() -> ResponseReturnValue:
    """Facebook's deauthorize callback: somebody has taken the app away. 200, or 400 with `err` and `description`."""
    provider = get_provider("facebook")
    event = _read_event(provider, _signed_request())
    _receive(provider.name, event)
    return "", 200


@bp.post("/facebook/data-deletion/")
def facebook_data_deletion() -> ResponseReturnValue:
    """Facebook's data deletion callback: the same, and an answer that it shows to the person."""
    provider = get_provider("facebook")
    event = _read_event(provider, _signed_request())
    _receive(provider.name, replace(event, kind="data-deletion", jti=f"deletion-{event.jti}"))
    code = deletions.code_for(provider.name, event.subject)
    path = url_for("kakaoauth.webhook_pages.data_deletion", provider=provider.name, code=code)
    return jsonify(url=urljoin(callback_address(provider.name), path), confirmation_code=code)


@pages.get("/<provider>/data-deletion/<code>/")
def data_deletion(provider: str, code: str) -> ResponseReturnValue:
    """What became of somebody's request to erase their data; the provider shows them this address."""
    deletion = deletions.find(provider, code)
    if deletion is None:
        abort(404)
    return render_template("kakaoauth/auth/deletion.html", deletion=deletion)


def _security_event(name: str) -> ResponseReturnValue:
    """A Security Event Token as the body (RFC 8935)."""
    provider = get_provider(name)
    if (request.content_length or 0) > MAX_BYTES:
        abort(413)
    event = _read_event(provider, request.get_data(as_text=False).decode("ascii", "replace"))
    _receive(provider.name, event)
    return "", 202


def _json() -> object:
    try:
        return request.get_json(force=True, silent=True)
    except RecursionError:  # thousands of brackets
        return None


def _signed_request() -> str:
    request.max_content_length = MAX_BYTES
    return request.form.get("signed_request", "")


def _read_event(provider: Provider, raw: str) -> AccountEvent:
    """What the message says; if it is not believed, the request ends here, in a 400 with `err` and `description`."""
    try:
        return provider.read_event(raw)
    except SetRefused as refused:
        log.warning("webhook refused err=%s: %s", refused.err, refused.description)
        _count_refused()
        abort(make_response(jsonify(err=refused.err, description=refused.description), 400))


def _require_admin_key() -> None:
    """An unset key must not equal an empty header, so it equals nothing."""
    key: str = current_app.config["KAKAO_ADMIN_KEY"]
    sent = request.headers.get("Authorization", "")
    if not key or not hmac.compare_digest(sent.encode(), f"KakaoAK {key}".encode()):
        log.warning("webhook refused: not Kakao's admin key")
        _count_refused()
        abort(401)


def _count_refused() -> None:
    """Messages are not repeated, so genuine ones are never limited, however many come.

    :raises RateLimited: too many that were not.
    """
    rate_limits.hit_address("webhook_refused")


def _receive(provider: str, event: AccountEvent) -> None:
    """Act on it now; if that is not possible, keep it: the sender may not repeat it.

    :raises Unavailable: neither was possible. The log has what is needed to do it by hand.
    """
    try:
        receiving.receive_event(provider, event)
    except Exception as error:
        receiving.keep_event(provider, event, error)
