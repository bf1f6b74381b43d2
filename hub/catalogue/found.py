"""What the catalogue tells about a plugin, sound or broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from hub.configuration.problems import as_toml
from hub.sdk.policy import Policy
from hub.sdk.settings import Settings

Side = Literal["source", "sink", "router"]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as a person reads it. ``default`` and ``example`` are written as in TOML."""

    name: str
    type: str
    required: bool
    secret: bool
    default: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One connector that works: who brought it and what it can do.

    ``tier`` is what its author claims in quality.toml (empty: nothing). ``reaches`` names the hosts it says it calls,
    with settings in braces (``"{subdomain}.example.com"``, ``"{base_url}"``); ``None``: it does not say, which is not
    the same as none. ``folder`` is where its code lies. ``proven_live`` says when somebody proved it with the vendor
    itself (``hub connections prove``), with which version, and who; empty: nobody has. ``policy`` are the vendor's
    dated rules that it brings.
    """

    name: str
    side: Side
    display_name: str
    distribution: str
    version: str
    roles: tuple[str, ...]
    settings: tuple[SettingRow, ...]
    docs_url: str = ""
    tier: str = ""
    reaches: tuple[str, ...] | None = None
    folder: str = ""
    proven_live: str = ""
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """One plugin, or one class of it, that cannot be used. ``reason`` is for the operator, ``detail`` (a trace, if
    there is one) for its author."""

    entry_point: str
    distribution: str
    version: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.entry_point} ({self.distribution} {self.version}): {self.reason}"


class DuplicatePlugin(Exception):
    """Two installed distributions bring the same connector: the hub refuses to guess which one is meant."""


def setting_rows(model: type[Settings]) -> tuple[SettingRow, ...]:
    """The settings of a connector, in the order its author wrote them."""
    return tuple(_row(name, field) for name, field in model.model_fields.items())


def is_secret(field: FieldInfo) -> bool:
    """True when the setting must not be shown."""
    return "SecretStr" in str(field.annotation)


def _row(name: str, field: FieldInfo) -> SettingRow:
    secret = is_secret(field)
    default: Any = "" if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    hidden = secret or default is None or default == "" or isinstance(default, SecretStr)
    return SettingRow(
        name=name,
        type="secret" if secret else _type_name(field.annotation),
        required=field.is_required(),
        secret=secret,
        default="" if hidden else as_toml(default),
        description=field.description or "",
        example=as_toml(field.examples[0]) if field.examples else "",
    )


def _type_name(kind: Any) -> str:
    """``str``, ``tuple[str]``, ``"off" or "fields"``: without ``Annotated``, ``None`` and the modules of names."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin is Literal:
        return " or ".join(map(as_toml, parts))
    names = [_type_name(part) for part in parts if part not in (type(None), ...)]
    if origin in (Union, UnionType):
        return " or ".join(names)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(names)}]"
    return getattr(kind, "__name__", str(kind))
