"""Holds values against lexicons, the AT protocol's own descriptions of its calls and records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import regex

_DID = r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HANDLE = rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+[a-zA-Z](?:[a-zA-Z0-9-]{{0,61}}[a-zA-Z0-9])?"
_NSID = (
    r"(?=.{1,317}$)[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
    r"\.[a-zA-Z][a-zA-Z0-9]{0,62}"
)
_IN_PATH = rf"(?=[^/]{{1,253}}(?:/|$))(?:{_LABEL}\.)+[a-zA-Z](?:[a-zA-Z0-9-]{{0,61}}[a-zA-Z0-9])?"
_RKEY = r"(?!\.{1,2}$)[a-zA-Z0-9_~.:-]{1,512}"
FORMATS = {
    "did": rf"(?=.{{1,2048}}$){_DID}",
    "handle": _HANDLE,
    "at-identifier": rf"(?:{_DID}|{_HANDLE})",
    "nsid": _NSID,
    "record-key": _RKEY,
    "tid": r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}",
    "at-uri": (rf"at://(?:{_DID}|{_IN_PATH})(?:/{_NSID.replace('(?=.{1,317}$)', '')}(?:/{_RKEY})?)?"),
    "cid": r"b[a-z2-7]{8,}",
    "datetime": (
        r"(?!0000-.*\+)(?!.*-00:00)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
        r"T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,20})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
    ),
    "language": (  # BCP 47
        r"(?:[a-zA-Z]{2,3}(?:-[a-zA-Z]{3}){0,3}|[a-zA-Z]{4,8})(?:-[a-zA-Z]{4})?(?:-(?:[a-zA-Z]{2}|\d{3}))?"
        r"(?:-(?:[a-zA-Z0-9]{5,8}|\d[a-zA-Z0-9]{3}))*(?:-[a-wyzA-WYZ0-9](?:-[a-zA-Z0-9]{2,8})+)*"
        r"(?:-[xX](?:-[a-zA-Z0-9]{1,8})+)?|[xXiI](?:-[a-zA-Z0-9]{1,8})+|sgn-(?:BE-FR|BE-NL|CH-DE)"
    ),
    "uri": r"[a-z][a-z0-9+.-]*:[^\s]+",
}
_TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


class NotInLexicon(AssertionError):
    """A value that is not as its lexicon says, with its path."""


class Lexicons:
    """Every lexicon of a folder."""

    def __init__(self, folder: Path) -> None:
        self.defs: dict[str, dict[str, Any]] = {}
        for path in folder.rglob("*.json"):
            lexicon = json.loads(path.read_text(encoding="utf-8"))
            self.defs |= {f"{lexicon['id']}#{name}": one for name, one in lexicon["defs"].items()}

    def check_params(self, method: str, params: dict[str, list[str]]) -> None:
        """The query of a call, as it stands in the address."""
        schema = self._call(method, "query").get("parameters", {"properties": {}})
        missing = set(schema.get("required", ())) - params.keys()
        unknown = params.keys() - schema["properties"].keys()
        if missing or unknown:
            raise NotInLexicon(f"{method}: lacks {sorted(missing)}, does not know {sorted(unknown)}")
        for name, values in params.items():
            one = schema["properties"][name]
            if one["type"] != "array" and len(values) != 1:
                raise NotInLexicon(f"{method}?{name}: one value, not {len(values)}")
            many = [_from_text(value, one.get("items", one)["type"]) for value in values]
            self._check(many if one["type"] == "array" else many[0], one, method, f"{method}?{name}")

    def check_input(self, method: str, body: Any) -> None:
        """The body of a call; ``None`` when there is none."""
        schema = self._call(method, "procedure").get("input")
        if (schema is None) != (body is None):
            raise NotInLexicon(f"{method}: {'takes no' if schema is None else 'needs a'} body")
        if schema and schema["encoding"] == "*/*":
            if not isinstance(body, bytes):
                raise NotInLexicon(f"{method}: takes bytes")
        elif schema:
            self._check(body, schema["schema"], method, method)

    def check_output(self, method: str, body: Any) -> None:
        """What a call answered."""
        self._check(body, self.defs[f"{method}#main"]["output"]["schema"], method, f"{method} answers ")

    def check_def(self, name: str, body: Any) -> None:
        """A value of a named kind, such as ``app.bsky.feed.defs#postView``."""
        self._check(body, self.defs[name], name.partition("#")[0], name)

    def _call(self, method: str, kind: str) -> dict[str, Any]:
        one = self.defs[f"{method}#main"]
        if one["type"] != kind:
            raise NotInLexicon(f"{method} is a {one['type']}")
        return one

    def _check(self, value: Any, schema: dict[str, Any], where: str, path: str) -> None:
        kind = schema["type"]
        match kind:
            case "ref":
                target = _full(schema["ref"], where)
                self._check(value, self.defs[target], target.partition("#")[0], path)
            case "union":
                self._union(value, schema, where, path)
            case "record":
                self._check(value, schema["record"], where, path)
            case "unknown":
                self._unknown(value, path)
            case "blob":
                if not isinstance(value, dict) or value.get("$type") != "blob" or "$link" not in value.get("ref", {}):
                    raise NotInLexicon(f"{path}: no blob")
            case "string" | "integer" | "boolean" | "array" | "object":
                if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
                    raise NotInLexicon(f"{path}: {type(value).__name__} instead of {kind}")
                getattr(self, f"_{kind}")(value, schema, where, path)
            case _:
                raise NotInLexicon(f"{path}: this validator knows no {kind}")

    def _object(self, value: dict[str, Any], schema: dict[str, Any], where: str, path: str) -> None:
        missing = [name for name in schema.get("required", ()) if name not in value]
        if missing:
            raise NotInLexicon(f"{path}: lacks {missing}")
        for name, one in schema.get("properties", {}).items():
            if name in value and not (value[name] is None and name in schema.get("nullable", ())):
                self._check(value[name], one, where, f"{path}.{name}")

    def _array(self, value: list[Any], schema: dict[str, Any], where: str, path: str) -> None:
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            raise NotInLexicon(f"{path}: {len(value)} items")
        for number, item in enumerate(value):
            self._check(item, schema["items"], where, f"{path}[{number}]")

    def _string(self, value: str, schema: dict[str, Any], _: str, path: str) -> None:
        size, graphemes = len(value.encode()), len(regex.findall(r"\X", value))
        if size > schema.get("maxLength", size) or size < schema.get("minLength", 0):
            raise NotInLexicon(f"{path}: {size} bytes")
        if graphemes > schema.get("maxGraphemes", graphemes):
            raise NotInLexicon(f"{path}: {graphemes} graphemes")
        if value not in schema.get("enum", [value]) or value != schema.get("const", value):
            raise NotInLexicon(f"{path}: {value!r} is not one of those allowed")
        if "format" in schema and not re.fullmatch(FORMATS[schema["format"]], value):
            raise NotInLexicon(f"{path}: {value!r} is no {schema['format']}")

    def _integer(self, value: int, schema: dict[str, Any], _: str, path: str) -> None:
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            raise NotInLexicon(f"{path}: {value} is out of range")

    def _boolean(self, value: bool, schema: dict[str, Any], _: str, path: str) -> None:
        if value != schema.get("const", value):
            raise NotInLexicon(f"{path}: {value}")

    def _union(self, value: Any, schema: dict[str, Any], where: str, path: str) -> None:
        kinds = {_full(ref, where) for ref in schema["refs"]}
        named = _full(value.get("$type", ""), where) if isinstance(value, dict) else ""
        if named not in kinds:
            raise NotInLexicon(f"{path}: {named or 'nothing'} is not one of the union")
        self._check(value, self.defs[named], named.partition("#")[0], path)

    def _unknown(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise NotInLexicon(f"{path}: no object")
        record = self.defs.get(_full(value.get("$type", ""), ""), {})
        if record.get("type") == "record":
            self._check(value, record, value["$type"], path)


def _full(ref: str, where: str) -> str:
    if ref.startswith("#"):
        return where + ref
    return ref if "#" in ref else f"{ref}#main"


def _from_text(value: str, kind: str) -> Any:
    if kind == "integer":
        return int(value)
    return value == "true" if kind == "boolean" else value
