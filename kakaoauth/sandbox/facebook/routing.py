"""How Graph addresses are read: a version may stand in front of each of them."""

import re
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from werkzeug.routing import BaseConverter

from kakaoauth.sandbox.facebook.errors import GraphError
from kakaoauth.sandbox.state.context import current_state
from kakaoauth.sandbox.state.facebook_settings import answering_version

VERSION = re.compile(r"/v[0-9]{1,6}\.[0-9]{1,6}")


class VersionConverter(BaseConverter):
    """`v25.0/`, or nothing at all."""

    part_isolating = False
    regex = r"(?:v[0-9]{1,6}\.[0-9]{1,6}/)?"

    def to_python(self, value: str) -> str | None:
        return value.removesuffix("/") or None


class WrittenVersionConverter(BaseConverter):
    regex = r"v[0-9]{1,6}\.[0-9]{1,6}"


class NodeConverter(BaseConverter):
    """A user. Ids are texts: an int converter would lose leading zeros."""

    regex = r"me|[0-9]{1,40}"


def add_converters(app: Flask) -> None:
    """Let routes be written with a version in front, or none."""
    app.url_map.converters |= {"graph": VersionConverter, "version": WrittenVersionConverter, "node": NodeConverter}


def take_version(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Views need not know the version that stands in front of their address."""
    g.graph_version = (values or {}).pop("version", None)


def answered_by() -> str | None:
    """Return the version that answers this call, None for one that never was."""
    return answering_version(g.graph_version, current_state().settings.facebook.versions)


def graph_blueprint(name: str) -> Blueprint:
    """Return a blueprint whose routes take a version and whose answers name it."""
    bp = Blueprint(name, __name__)
    bp.url_value_preprocessor(take_version)
    bp.before_request(_check_version)
    bp.after_request(_say_version)
    return bp


def parameters() -> dict[str, str]:
    """Return the parameters, from the address or a form; of a doubled one the last counts."""
    sent = [*request.args.lists(), *request.form.lists()]
    return {name: values[-1] for name, values in sent}


def _check_version() -> None:
    """A version that never was is read as a node's name: Facebook then stumbles over what follows it."""
    if answered_by() is None:
        raise GraphError(2500, f"Unknown path components: {VERSION.sub('', request.path, count=1)[:200]}")


def _say_version(response: Response) -> Response:
    version = answered_by()
    if version is not None:
        response.headers.setdefault("facebook-api-version", version)
    return response
