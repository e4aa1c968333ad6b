"""Parse Graph's `fields` parameter: `id,picture.type(large){url,is_silhouette}`."""

import re
from dataclasses import dataclass, field

from kakaoauth.sandbox.facebook.errors import GraphError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
MODIFIER = re.compile(r"\.([a-z_]{1,30})\(([^()]{0,100})\)")
DEEPEST = 5


@dataclass
class Field:
    name: str
    modifiers: dict[str, str] = field(default_factory=dict)
    inner: list["Field"] = field(default_factory=list)


def read_fields(text: str) -> list[Field]:
    """:raise GraphError: a syntax error."""
    found, end = _read_list(text, 0, 0)
    if end != len(text):
        raise _syntax_error(text, end)
    return found


def _read_list(text: str, at: int, depth: int) -> tuple[list[Field], int]:
    found = []
    while True:
        at = _skip_spaces(text, at)
        name = NAME.match(text, at)
        if name is None or depth > DEEPEST:
            raise _syntax_error(text, at)
        one, at = Field(name[0]), name.end()
        while modifier := MODIFIER.match(text, at):
            one.modifiers[modifier[1]] = modifier[2]
            at = modifier.end()
        if text[at : at + 1] == "{":
            one.inner, at = _read_list(text, at + 1, depth + 1)
            if text[at : at + 1] != "}":
                raise _syntax_error(text, at)
            at += 1
        found.append(one)
        at = _skip_spaces(text, at)
        if text[at : at + 1] != ",":
            return found, at
        at += 1


def _skip_spaces(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _syntax_error(text: str, at: int) -> GraphError:
    said = f'instead of "{text[at]}"' if at < len(text) else "instead of the end of string"
    return GraphError(2500, f'Syntax error "Field name expected {said}." at character {at}: {text[:100]}')
