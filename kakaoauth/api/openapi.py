"""The OpenAPI 3.1 document: written from the routes, and from what each one's `operation` says that it takes and gives.

pydantic writes the schemas, in the JSON Schema dialect of OpenAPI 3.1; what is left here is the table of paths.
"""

import inspect
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import groupby
from typing import Any, cast

from flask import current_app, request
from pydantic import BaseModel, TypeAdapter
from werkzeug.routing import Rule

from kakaoauth import providers
from kakaoauth.api.operation import FORM, OPERATIONS, Errors, Operation, View
from kakaoauth.api.problems import ProblemOut
from kakaoauth.config.mounting import BLUEPRINT
from kakaoauth.errors import AppError, InvalidAccessToken, Unavailable
from kakaoauth.storage.columns import MAX_ID
from kakaoauth.tokens import cookies

REF = "#/components/schemas/{model}"
JSON = "application/json"
PROBLEM = "application/problem+json"

Json = dict[str, Any]

INTRODUCTION = (
    "Log in with what Kakao or another provider gave your app, or in a browser through the site, with tokens in "
    "cookies (`/kakao/login/?mode=jwt&next=…`). Errors are RFC 9457 problem documents, whose `code` is the same in "
    "every language. An unknown field in a body is refused."
)
TAGS = {
    "login": "How an app gets its first tokens.",
    "tokens": "What becomes of them.",
    "users": "Oneself, and for staff everybody.",
    "consents": "What people have agreed to.",
    "docs": "This document.",
}
SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": cookies.ACCESS,
        "description": "Set by a login through the site with `mode=jwt`; over https its name begins with `__Host-`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": cookies.CSRF_HEADER,
        "description": "Beside the cookie, with any value, on requests that change something.",
    },
}
HEADERS: Json = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "RFC 6750, section 3.", "schema": {"type": "string"}},
}


def document() -> Json:
    """The same for everybody but for `servers`, and made once: that takes longer than any other answer."""
    found: Json = current_app.extensions.get("kakaoauth_openapi") or current_app.extensions.setdefault(
        "kakaoauth_openapi", _write()
    )
    return found


def server() -> str:
    """Return what this request's paths begin with."""
    return f"{current_app.config['PUBLIC_URL']}{request.script_root}" or "/"


def _write() -> Json:
    schemas: Json = {}
    _schema_of(ProblemOut, "serialization", schemas)
    paths: Json = {}
    for rule, view, said in _operations():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(rule, method, view, said, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": current_app.config["KAKAOAUTH_SITE_NAME"], "version": "1", "description": INTRODUCTION},
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": SECURITY},
    }


def _operations() -> Iterator[tuple[Rule, View, Operation]]:
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = cast(View, current_app.view_functions[rule.endpoint])
        said = OPERATIONS.get(inspect.unwrap(view, stop=lambda one: one in OPERATIONS))
        if said is not None:
            yield rule, view, said


def _name_of(rule: Rule) -> str:
    """The endpoint without our blueprint's name: programs are generated from it."""
    return str(rule.endpoint).removeprefix(f"{BLUEPRINT}.").replace(".", "_")


def _operation(rule: Rule, method: str, view: View, said: Operation, schemas: Json) -> Json:
    for_whom = f"For {said.who}." if said.who else ""
    found: Json = {
        "operationId": f"{method.lower()}_{_name_of(rule)}",
        "summary": said.summary,
        "description": f"{for_whom} {inspect.getdoc(view) or ''}".strip(),
        "tags": [rule.endpoint.split(".")[-2]],
        "parameters": [_path_parameter(name) for name in sorted(rule.arguments)] + _query_parameters(said),
        "responses": {
            **{str(status): _answer(status, form, schemas) for status, form in said.answers.items()},
            **_problems(said.errors),
        },
    }
    if said.body is not None:
        schema = _schema_of(said.body, "validation", schemas)
        kinds = (JSON, FORM) if said.body_lenient else (JSON,)
        content = {kind: {"schema": schema} for kind in kinds}
        found["requestBody"] = {"required": not said.body_optional, "content": content}
    if said.who:
        cookie: Json = {"cookie": []} if method == "GET" else {"cookie": [], "csrf": []}
        found["security"] = [{"bearer": []}, cookie]
    return found


def _path_parameter(name: str) -> Json:
    schema: Json = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    if name == "provider":
        schema = {"type": "string", "enum": [provider.name for provider in providers.all_providers()]}
    if name == "term":
        schema = {"type": "string", "maxLength": 50}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(said: Operation) -> list[Json]:
    if said.query is None:
        return []
    whole = said.query.model_json_schema(ref_template=REF)
    return [
        {"name": name, "in": "query", "description": schema.pop("description", ""), "schema": schema}
        for name, schema in whole["properties"].items()
    ]


def _answer(status: int, form: Any, schemas: Json) -> Json:
    found: Json = {"description": HTTPStatus(status).phrase}
    if form is not None:
        found["content"] = {JSON: {"schema": _schema_of(form, "serialization", schemas)}}
    return found


def _problems(errors: Errors) -> Json:
    """One answer for each status, with the codes it can have."""
    by_status = groupby(sorted(set(errors), key=lambda one: (one.status, one.code)), key=lambda one: one.status)
    return {str(status): _problem(list(kinds)) for status, kinds in by_status}


def _problem(kinds: list[type[AppError]]) -> Json:
    codes = " or ".join(f"`{code}`" for code in dict.fromkeys(kind.code for kind in kinds))
    found: Json = {
        "description": codes,
        "content": {PROBLEM: {"schema": {"$ref": REF.format(model=ProblemOut.__name__)}}},
    }
    if any(issubclass(kind, Unavailable) or kind.status == HTTPStatus.TOO_MANY_REQUESTS for kind in kinds):
        found["headers"] = {"Retry-After": HEADERS["Retry-After"]}
    elif any(issubclass(kind, InvalidAccessToken) for kind in kinds):
        found["headers"] = {"WWW-Authenticate": HEADERS["WWW-Authenticate"]}
    return found


def _schema_of(form: Any, mode: Any, schemas: Json) -> Json:
    """A reference to the model's schema, which goes into `schemas`; anything else as it is."""
    schema: Json = TypeAdapter(form).json_schema(ref_template=REF, mode=mode)
    schemas.update(schema.pop("$defs", {}))
    if inspect.isclass(form) and issubclass(form, BaseModel):
        schemas[form.__name__] = schema
        return {"$ref": REF.format(model=form.__name__)}
    return schema
