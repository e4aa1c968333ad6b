"""What one address of the API takes and returns; how a request's JSON is read and an answer is written.

`openapi` publishes what `operation` enforces, so the document cannot promise anything else.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from itertools import takewhile
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, TypeAdapter, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from kakaoauth.errors import (
    AppError,
    BodyTooLarge,
    DatabaseUnavailable,
    ExpiredToken,
    Forbidden,
    FreshLoginRequired,
    InvalidAccessToken,
    InvalidFields,
)
from kakaoauth.web import guards
from kakaoauth.web.parameters import only

#: A body has a token or two.
MAX_BYTES = 64 * 1024
FORM = "application/x-www-form-urlencoded"
#: The field that stands for the whole of it.
WHOLE = "body"

View = Callable[..., ResponseReturnValue]
#: Refuses by raising.
Guard = Callable[[], None]
Errors = tuple[type[AppError], ...]


class Access(NamedTuple):
    """Who may call an operation: guards that run before its body is read, besides the blueprint's, and their errors."""

    #: As the document says it; None: anyone.
    who: str | None = None
    guards: tuple[Guard, ...] = ()
    errors: Errors = ()

    def fresh(self) -> "Access":
        """Return the same, with a login of the last minutes."""
        return Access(self.who, (*self.guards, guards.bearer_fresh), (*self.errors, FreshLoginRequired))


ANYONE = Access()
ONESELF = Access("oneself", (), (InvalidAccessToken, ExpiredToken))
ONESELF_AND_STAFF = ONESELF._replace(who="oneself and staff")
STAFF = Access("staff", (guards.bearer_staff,), (*ONESELF.errors, Forbidden))
SUPERUSERS = Access("superusers", (guards.bearer_superuser,), STAFF.errors)


@dataclass(frozen=True)
class Operation:
    """`body`, `query` and the values of `answers` are pydantic's; `errors` are answered as problem documents."""

    summary: str
    body: Any
    body_optional: bool
    body_lenient: bool
    query: type[BaseModel] | None
    answers: Mapping[int, Any]
    errors: Errors
    #: As in `Access`.
    who: str | None


#: View -> what it takes and returns.
OPERATIONS: dict[View, Operation] = {}


def operation(
    summary: str,
    *,
    body: Any = None,
    body_optional: bool = False,
    body_lenient: bool = False,
    query: type[BaseModel] | None = None,
    answers: Mapping[int, Any],
    errors: Errors = (),
    access: Access = ANYONE,
) -> Callable[[View], View]:
    """Give a view its checked `body` and `query`. Goes under the route decorator.

    :param body_optional: no body at all is an empty object. :param body_lenient: `body` is a model, as JSON or as a
        form; what cannot be read of it counts as left out. :param errors: besides those that a body, a query, a guard
        and the database bring with them. :param access: who may call it; applied, and published.
    """
    form = TypeAdapter(body) if body is not None else None
    refused = (InvalidFields, BodyTooLarge) if form and not body_lenient else (InvalidFields,) if form or query else ()
    before = (*access.errors, *refused)

    def decorate(view: View) -> View:
        @wraps(view)
        def run(**arguments: Any) -> ResponseReturnValue:
            for guard in access.guards:
                guard()
            if body_lenient:
                arguments["body"] = _read_leniently(body)
            elif form is not None:
                arguments["body"] = read_body(form, optional=body_optional)
            if query is not None:
                arguments["query"] = _read_query(query)
            return view(**arguments)

        every = (*before, *errors, DatabaseUnavailable)
        optional = body_optional or body_lenient
        OPERATIONS[run] = Operation(summary, body, optional, body_lenient, query, answers, every, access.who)
        return run

    return decorate


def read_body(form: TypeAdapter[Any], *, optional: bool = False) -> Any:
    """:param optional: no body at all is an empty object.

    :raises InvalidFields: not JSON, not UTF-8, a key given twice, or not of that form. :raises BodyTooLarge:
    """
    try:
        value = json.loads(_raw_body(optional), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidFields({WHOLE: "must be a JSON object in UTF-8 that names no key twice"}) from None
    if not isinstance(value, dict):
        raise InvalidFields({WHOLE: "must be a JSON object"})
    try:
        return form.validate_python(value, strict=True)
    except ValidationError as error:
        raise _fields(error) from None


def _read_leniently(form: type[BaseModel]) -> Any:
    """Field by field, so that one which cannot be read takes no other with it."""
    try:
        raw = _read_all().decode("utf-8")
        if request.mimetype == FORM:
            value = _no_doubles(parse_qsl(raw, keep_blank_values=True, max_num_fields=20))
        else:
            value = json.loads(raw, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (RequestEntityTooLarge, ValueError, RecursionError):
        value = {}
    found: dict[str, Any] = {}
    for name in form.model_fields.keys() & (value if isinstance(value, dict) else {}):
        with suppress(ValidationError):
            found |= form.model_validate({name: value[name]}, strict=True).model_dump(exclude_unset=True)
    return form(**found)


def answer(form: type[BaseModel], value: Any, status: int = 200) -> Response:
    """Render `value` (an object or a mapping) as `form`."""
    response = jsonify(form.model_validate(value, from_attributes=True).model_dump(mode="json", by_alias=True))
    response.status_code = status
    return response


def _raw_body(optional: bool) -> str:
    try:
        raw = _read_all()
    except RequestEntityTooLarge:
        raise BodyTooLarge from None
    if optional and not raw:
        return "{}"
    if not request.is_json:
        raise InvalidFields({WHOLE: "must be application/json"})
    return raw.decode("utf-8")


def _read_all() -> bytes:
    """:raises RequestEntityTooLarge: more than MAX_BYTES, or so many in chunks, whose rest Werkzeug leaves unread."""
    request.max_content_length = MAX_BYTES
    raw = request.get_data(cache=False)
    if request.content_length is None and len(raw) == MAX_BYTES:
        raise RequestEntityTooLarge
    return raw


def _doubled(name: str) -> InvalidFields:
    return InvalidFields({name: "given more than once"})


def _read_query(form: type[BaseModel]) -> Any:
    values: dict[str, str] = {}
    for name in form.model_fields:
        given = only(request.args, name, doubled=_doubled)
        if given is not None:
            values[name] = given
    try:
        return form.model_validate(values)
    except ValidationError as error:
        raise _fields(error) from None


def _fields(error: ValidationError) -> InvalidFields:
    """What is wrong with each field, without what was sent; an unknown field's name is its sender's own."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        names = list(takewhile(lambda part: isinstance(part, str), one["loc"]))  # not what stands within a list
        found[str(names[-1])[:50] if names else WHOLE] = one["msg"]
    return InvalidFields(found)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
