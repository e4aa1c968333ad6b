"""The providers' door: messages about people, proven by a key or a signature, never by a cookie."""

import hmac
import logging
import re
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, current_app, jsonify, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth import flows, guards, inbox, providers
from kakaoauth.errors import Unavailable
from kakaoauth.providers.base import AccountEvent, Provider, SetRefused

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")
bp.before_request(guards.anyone)  # each view proves its caller by itself: one by a key, one by a signature

log = logging.getLogger("kakaoauth.audit")

#: A message has about 1 kB.
MAX_BYTES = 64 * 1024

USER_ID = re.compile(r"[1-9][0-9]{0,39}")


@bp.route("/kakao/unlink/", methods=["GET", "POST"])
def kakao_unlink() -> ResponseReturnValue:
    """Kakao's unlink webhook. Kakao does not repeat it: once the caller is authentic the answer is 200, also for
    people we do not know, and 503 only if the message could be stored nowhere."""
    _kakao()
    _require_admin_key()
    parameters = request.args if request.method == "GET" else request.form
    app_id = current_app.config["KAKAO_APP_ID"]
    if app_id and parameters.get("app_id") != str(app_id):
        abort(400)
    subject = parameters.get("user_id", "")
    if USER_ID.fullmatch(subject):
        now = datetime.now(UTC)
        _receive("kakao", AccountEvent(f"unlink-{subject}-{now.timestamp()}", "user-unlinked", subject, now))
    return "", 200


@bp.post("/kakao/account-status/")
def kakao_account_status() -> ResponseReturnValue:
    """Kakao's account-status webhook: RFC 8935. 202, or 400 with `err` and `description`."""
    provider = _kakao()
    if (request.content_length or 0) > MAX_BYTES:
        abort(413)
    try:
        event = provider.read_event(request.get_data(as_text=False).decode("ascii", "replace"))
    except SetRefused as refused:
        log.warning("webhook refused err=%s: %s", refused.err, refused.description)
        return _refusal(refused)
    _receive(provider.name, event)
    return "", 202


def _kakao() -> Provider:
    provider = providers.find_provider("kakao")
    if provider is None:
        abort(404)
    return provider


def _require_admin_key() -> None:
    """An unset key must not equal an empty header, so it equals nothing."""
    key: str = current_app.config["KAKAO_ADMIN_KEY"]
    sent = request.headers.get("Authorization", "")
    if not key or not hmac.compare_digest(sent.encode(), f"KakaoAK {key}".encode()):
        log.warning("webhook refused: not Kakao's admin key")
        abort(401)


def _receive(provider: str, event: AccountEvent) -> None:
    """Act on it now; while the database is away keep it for later.

    :raises Unavailable: neither was possible. The log has what is needed to do it by hand.
    """
    try:
        flows.apply_event(provider, event)
    except (SQLAlchemyError, Unavailable):
        flows.forget_transaction()
        try:
            inbox.keep(provider, event)
        except Exception:
            log.critical("webhook lost provider=%s kind=%s subject=%s", provider, event.kind, event.subject)
            raise Unavailable("the message could be stored nowhere") from None
        log.error("webhook kept for later provider=%s kind=%s", provider, event.kind)


def _refusal(refused: SetRefused) -> Response:
    body = jsonify(err=refused.err, description=refused.description)
    return make_response(body, 400)
