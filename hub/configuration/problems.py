"""What is wrong with a configuration, in words an operator can act on, all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. ``path`` is ``connections.acme-zendesk.subdomain``; ``connection`` names the only connection
    it stops. With ``fatal`` the hub cannot start at all; a ``warning`` stops nothing."""

    path: str
    message: str
    example: str = ""
    file: str = "hub.toml"
    connection: str = ""
    fatal: bool = True
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}: {self.path}" if self.path else self.file
        return f"{place}: {self.message}" + (f", for example {self.example}" if self.example else "")


class ConfigurationProblems(Exception):
    """Everything that is wrong, one problem per line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.problems,))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "listen"?`` when a known word is near, else the list of the known ones."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return "known: " + ", ".join(words) if words else "there is none"


def as_toml(value: object) -> str:
    """A value as one would write it in TOML, near enough for an example in a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # An example which already is TOML, such as { env = "NAME" }, must not be quoted again.
        return value if value.startswith(("{", "[", '"')) else f'"{value}"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return str(value)


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    *,
    prefix: str = "",
    file: str = "hub.toml",
    connection: str = "",
    fatal: bool = True,
) -> list[Problem]:
    """Every complaint of pydantic as a :class:`Problem`. The refused value itself is never repeated: it may be a
    secret."""
    problems = []
    for item in error.errors(include_url=False, include_input=False):
        path, example, about, siblings = _place(model, item["loc"], prefix)
        message = _in_words(item["type"], item.get("ctx", {}), about) or item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key; " + did_you_mean(str(item["loc"][-1]), siblings)
            path, example = f"{path}.{item['loc'][-1]}".lstrip("."), ""
        message = message[:1].lower() + message[1:]
        problems.append(Problem(path, message, example, file=file, connection=connection, fatal=fatal))
    return problems


_WORDS = {
    "missing": "is missing",
    "string_type": "must be a text, in quotes",
    "string_pattern_mismatch": "does not have the right form",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number, without quotes",
    "int_parsing": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "float_parsing": "must be a number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "bool_parsing": "must be true or false, without quotes",
    "tuple_type": "must be a list, in [ ]",
    "list_type": "must be a list, in [ ]",
    "dict_type": "must be a table, in {{ }}",
    "mapping_type": "must be a table, in {{ }}",
    "model_type": "must be a table, in {{ }}",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
"""The validator's own words speak of types and patterns; an operator knows neither."""


def _in_words(kind: str, facts: Mapping[str, Any], about: str) -> str:
    """What is wrong in an operator's words; empty when the complaint has words of its own."""
    words = _WORDS.get(kind, "").format_map(facts).replace("'", '"')
    return f"{words} ({about})" if words and about and kind == "string_pattern_mismatch" else words


def _place(model: type[BaseModel], location: tuple[int | str, ...], prefix: str) -> tuple[str, str, str, list[str]]:
    """The path a person knows, the nearest example, what the field is, and the keys of the innermost table. Parts that
    pydantic adds for the branches of a union are left out."""
    kind: Any = model
    path, example, about = prefix, "", ""
    siblings: list[str] = []
    for part in location:
        kind = _inner(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            siblings = [field.alias or name for name, field in kind.model_fields.items()]
            field = kind.model_fields.get(str(part))
            if field is None:
                continue
            example = as_toml(field.examples[0]) if field.examples else ""
            about = field.description or ""
            path, kind = f"{path}.{part}", field.annotation
        elif get_origin(kind) in (dict, Mapping):
            path, kind = f"{path}.{part}", get_args(kind)[1]
        elif isinstance(part, int):
            path, kind = f"{path}[{part}]", next(iter(get_args(kind)), None)
    return path.lstrip("."), example, about, siblings


def _inner(kind: Any) -> Any:
    """The table, dict or list inside ``Annotated`` and ``X | None``."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        parts = get_args(kind)
        if get_origin(kind) is Annotated:
            kind = parts[0]
            continue
        kind = next(filter(_has_parts, parts), parts[0])
    return kind


def _has_parts(kind: Any) -> bool:
    return get_origin(kind) is not None or (isinstance(kind, type) and issubclass(kind, BaseModel))
