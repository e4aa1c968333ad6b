"""The Graph API's part for logins: a user, the user's permissions, and a look at a token."""

from dataclasses import replace
from typing import Any

from flask import Response, request

from kakaoauth.sandbox.facebook.authentication import find_caller, find_token, scopes_of, why_over
from kakaoauth.sandbox.facebook.callbacks import person_removes_app
from kakaoauth.sandbox.facebook.errors import GraphError
from kakaoauth.sandbox.facebook.fields import read_fields
from kakaoauth.sandbox.facebook.profile import page_answer, user_answer
from kakaoauth.sandbox.facebook.routing import graph_blueprint, parameters
from kakaoauth.sandbox.pages.responses import json_answer
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.facebook_model import Installation, Token

bp = graph_blueprint("facebook_graph")

ME = "me"
DATA_ACCESS_SECONDS = 90 * 86400


@bp.get("/<graph:version><node:node>")
def user(node: str) -> Response:
    """A user or page, with the `fields` that were asked for. :raise GraphError:"""
    caller = find_caller()
    fields = read_fields(parameters().get("fields") or "name,id")
    if caller.type == "PAGE" and node in (ME, caller.user_id):
        return json_answer(page_answer(caller.user_id, fields))
    state = current_state()
    if caller.type == "APP":
        installation = _installation(caller, node)
        key, scopes = installation.person, installation.granted
    else:
        key, scopes = caller.person or "", scopes_of(caller)
    user_id = _user_id(caller, node)
    person = state.facebook.people.get(key)
    if person is None:
        raise no_object(user_id)
    # To another app the same person has another id
    pictures = state.settings.own_pictures
    return json_answer(user_answer(replace(person, user_id=user_id), scopes, fields, state.clock.now(), pictures))


@bp.get("/<graph:version><node:node>/permissions")
def permissions(node: str) -> Response:
    """The permissions that the user granted and declined. :raise GraphError:"""
    installation = _installation(find_caller(), node)
    return json_answer(
        {
            "data": [
                {"permission": name, "status": "granted" if granted else "declined"}
                for name, granted in installation.permissions.items()
            ]
        }
    )


@bp.delete("/<graph:version><node:node>/permissions")
def deauthorize(node: str) -> Response:
    """Everything at once: the person does not use the app any more."""
    person_removes_app(current_state(), _installation(find_caller(), node).person)
    return json_answer({"success": True})


@bp.delete("/<graph:version><node:node>/permissions/<permission>")
def revoke(node: str, permission: str) -> Response:
    """Withdraw one permission, or all: that removes the app. :raise GraphError:"""
    state = current_state()
    installation = _installation(find_caller(), node)
    with state.changing():
        if not installation.permissions.get(permission):
            raise GraphError(100, "(#100) Invalid parameter")
        installation.permissions[permission] = False
    return json_answer({"success": True})


@bp.get("/<graph:version>debug_token")
def debug_token() -> Response:
    """Says what a token is. Only one's own app's tokens: another app's is an error, not an answer."""
    caller = find_caller()
    if caller.type != "APP":
        words = "an app access token, or a user access token that is an owner or developer of the app"
        raise GraphError(100, f"(#100) You must provide {words}")
    sent = parameters().get("input_token", "")
    if not sent:
        raise GraphError(100, "(#100) For field 'debug_token': The parameter input_token is required")
    try:
        token = find_token(sent)
    except GraphError as error:
        said = error.body["error"]
        return json_answer(
            {"data": {"error": {"code": 190, "message": said["message"]}, "is_valid": False, "scopes": []}}
        )
    if token.app_id != caller.app_id:
        raise GraphError(100, "(#100) The App_id in the input_token did not match the Viewing App")
    return json_answer({"data": _describe(token)})


@bp.route("/<version:version>/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
def elsewhere(rest: str) -> Response:
    """Nodes that the sandbox does not have."""
    raise no_object(rest.partition("/")[0])


def no_object(name: str) -> GraphError:
    """Return Graph's error for an id that does not exist or may not be seen."""
    words = "does not exist, cannot be loaded due to missing permissions, or does not support this operation"
    read = "Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api"
    verb = request.method.lower()
    message = f"Unsupported {verb} request. Object with ID '{name[:80]}' {words}. {read}"
    return GraphError(100, message, 33, type="GraphMethodException")


def _user_id(caller: Token, node: str) -> str:
    """Whom a call is about. :raise GraphError: nobody, or somebody the caller may not see."""
    if caller.type == "APP":
        if node == ME:
            raise GraphError(2500, "An active access token must be used to query information about the current user.")
        return node
    if node not in (ME, caller.user_id):
        raise no_object(node)
    return caller.user_id


def _installation(caller: Token, node: str) -> Installation:
    """:raise GraphError: the person does not use this app."""
    wanted = _user_id(caller, node)
    state = current_state()
    with state.reading():
        found = next((one for one in state.facebook.installed.values() if one.user_id == wanted), None)
    if found is None or caller.type == "PAGE" or caller.app_id != state.settings.facebook.client_id:
        raise no_object(wanted)
    return found


def _describe(token: Token) -> dict[str, Any]:
    app = current_state().settings.facebook
    known: dict[str, Any] = {"app_id": token.app_id, "type": token.type, "application": app.app_name}
    if token.type == "APP":
        return known | {"is_valid": True, "scopes": []}
    known["data_access_expires_at"] = token.issued_at + DATA_ACCESS_SECONDS
    reason = why_over(token)
    if reason is not None:
        known["error"] = {"code": 190, "message": reason[0], "subcode": reason[1]}
    known |= {"expires_at": token.expires_at, "is_valid": reason is None, "issued_at": token.issued_at}
    if token.type == "PAGE":
        known["profile_id"] = token.user_id
        person = current_state().facebook.people.get(token.person or "")
        return known | {"scopes": token.scopes, "user_id": person.user_id if person else token.user_id}
    return known | {"scopes": scopes_of(token), "user_id": token.user_id}
