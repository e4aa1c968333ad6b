"""GET /oauth/logout: leave the service and the account together."""

import secrets

from flask import Blueprint, Response, request

from kakaoauth.sandbox.errors import PageError
from kakaoauth.sandbox.kakao.authorization_request import check_client, require, single_values
from kakaoauth.sandbox.pages.responses import page, raw_state, redirect_back
from kakaoauth.sandbox.state.context import browser_id, current_state, sign_out, signed_in
from kakaoauth.sandbox.state.model import PendingLogout

bp = Blueprint("logout", __name__)


@bp.get("/oauth/logout")
def ask() -> Response:
    """Ask whether to leave the account, too. :raise PageError: KOE101, KOE007."""
    state = current_state()
    query = single_values(request.args)
    require(query, "client_id", "logout_redirect_uri")
    check_client(query["client_id"], state.settings)
    uri = query["logout_redirect_uri"]
    if uri not in state.settings.logout_redirect_uris:
        raise PageError("KOE007", uri)
    account = signed_in()
    pending = state.logouts.put(
        PendingLogout(secrets.token_urlsafe(32), browser_id(), state.clock.now(), uri, raw_state(request.query_string))
    )
    return page("logout", pending=pending, person=account[0] if account else None)


@bp.post("/oauth/logout")
def answer() -> Response:
    """Go back to the site either way: it has ended its own session and is waiting there."""
    state = current_state()
    pending = state.logouts.find(request.form.get("request", ""), browser_id())
    decision = request.form.get("decision")
    if pending is None or decision not in ("logout", "cancel"):
        raise PageError(None)
    if decision == "logout":
        sign_out()
    return redirect_back(pending.redirect_uri, state=pending.state)
