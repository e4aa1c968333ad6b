"""The OpenAPI document in words, for the page that people read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: What limits a value, in the page's words; `{}` is the value of that key in the schema.
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "default": "default {}",
}
#: What every field has as its least, which nobody wants to read.
UNSAID = {("minimum", 1), ("default", None), ("default", "")}


@dataclass(frozen=True)
class Field:
    """A line of a table: a parameter, or what a model has. `place`: path or query; empty in a model."""

    name: str
    kind: str
    description: str
    is_required: bool
    place: str = ""
    #: What may be chosen, where that is few values.
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Body:
    """One form that a request's body may have. `sample`: JSON to begin with."""

    name: str
    description: str
    fields: tuple[Field, ...]
    sample: str


@dataclass(frozen=True)
class Answer:
    """`model` is the name of its schema, if it has one that the page describes."""

    status: str
    description: str
    model: str


@dataclass(frozen=True)
class Entry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    description: list[str]
    is_guarded: bool
    parameters: tuple[Field, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]


def sections(document: Json) -> list[tuple[Json, list[Entry]]]:
    """Return each tag (`name`, `description`) with its operations, in the document's order."""
    found: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            found[said["tags"][0]].append(_entry(path, method, said, document["components"]["schemas"]))
    return [(tag, found[tag["name"]]) for tag in document["tags"] if found[tag["name"]]]


def models(document: Json) -> list[Body]:
    """Return what is sent and answered, by name."""
    schemas = document["components"]["schemas"]
    return [_body({"$ref": f"#/{name}"}, schemas) for name in schemas]


def _entry(path: str, method: str, said: Json, schemas: Json) -> Entry:
    content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    form = content.get("schema", {})
    forms = form.get("oneOf") or form.get("anyOf") or ([form] if form else [])
    return Entry(
        id=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said["summary"],
        description=[part.replace("\n", " ") for part in said["description"].split("\n\n") if part],
        is_guarded="security" in said,
        parameters=tuple(_parameter(one) for one in said["parameters"]),
        bodies=tuple(_body(one, schemas) for one in forms),
        answers=tuple(_answers(said["responses"])),
    )


def _answers(responses: Json) -> Iterator[Answer]:
    for status, said in responses.items():
        schemas = [content["schema"] for content in said.get("content", {}).values()]
        yield Answer(status, said["description"], _name(schemas[0]) if schemas else "")


def _parameter(said: Json) -> Field:
    schema = said["schema"]
    choices = tuple(str(value) for value in schema.get("enum", ()))
    is_required = bool(said.get("required"))
    return Field(said["name"], words(schema), said.get("description", ""), is_required, said["in"], choices)


def _body(form: Json, schemas: Json) -> Body:
    schema = schemas.get(_name(form), form)
    needed = schema.get("required", ())
    fields = (
        Field(name, words(said), said.get("description", ""), name in needed)
        for name, said in schema.get("properties", {}).items()
    )
    sample = json.dumps(_sample(form, schemas), ensure_ascii=False, indent=2)
    return Body(_name(form), schema.get("description", ""), tuple(fields), sample)


def words(schema: Json) -> str:
    """Return what kind of value this is, like `list of text, at most 50 items`."""
    limits = [
        text.format(json.dumps(schema[key]))
        for key, text in LIMITS.items()
        if key in schema and (key, schema[key]) not in UNSAID
    ]
    return ", ".join([_kind(schema), *limits])


def _kind(schema: Json) -> str:
    if "$ref" in schema:
        return _name(schema)
    if either := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(one) for one in either))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any value")


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _sample(schema: Json, schemas: Json) -> Any:
    """What is needed of it; of a model that needs nothing, its first field."""
    schema = schemas.get(_name(schema), schema)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if either := schema.get("anyOf") or schema.get("oneOf"):
        return _sample(either[0], schemas)
    if fields := schema.get("properties"):
        names = schema.get("required") or list(fields)[:1]
        return {name: _sample(fields[name], schemas) for name in names}
    return {"array": [], "object": {}, "integer": 1, "number": 1, "boolean": True}.get(schema.get("type", ""), "")
