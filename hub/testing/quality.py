"""``quality.toml``: who answers for a connector, which tier it claims, and which checks it is excused from, and why."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

TIERS = ("bronze", "silver", "gold")
FRESH_DAYS = 90
"""For how many days a recorded run proves that the connector works with the real vendor."""

_KEYS = {"tier", "owner", "waivers", "proven", "proven_live"}


@dataclass(frozen=True, slots=True)
class Quality:
    """What ``quality.toml`` says. ``wrong`` is everything that is not right about the file itself."""

    tier: str = "bronze"
    owner: str = ""
    waivers: dict[str, str] = field(default_factory=dict)
    proven: dict[str, Any] = field(default_factory=dict)
    proven_live: dict[str, Any] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()


def folder_of(connector: type) -> Path:
    """The plugin's folder."""
    return Path(inspect.getfile(connector)).parent


def quality_of(connector: type) -> Quality:
    """Read the file next to the connector's module. Does not raise: what is wrong is in ``wrong``."""
    path = folder_of(connector) / "quality.toml"
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Quality(wrong=('there is no quality.toml beside the connector; start with: tier = "bronze"',))
    except (ValueError, OSError) as error:
        return Quality(wrong=(f"quality.toml cannot be read: {error}",))
    wrong = [
        f'"{key}" is not a key of quality.toml; it has: {", ".join(sorted(_KEYS))}' for key in given.keys() - _KEYS
    ]
    tier, waivers, proven = given.get("tier", ""), given.get("waivers", {}), given.get("proven", {})
    live = given.get("proven_live", {})
    if tier not in TIERS:
        wrong.append(f'tier is "{tier}"; it is one of: {", ".join(TIERS)}')
    wrong += [
        f'the waiver of "{name}" has no reason'
        for name, why in waivers.items()
        if not (isinstance(why, str) and why.strip())
    ]
    return Quality(tier, str(given.get("owner", "")), dict(waivers), dict(proven), dict(live), tuple(wrong))


def unknown_waivers(quality: Quality, checks: Iterable[str]) -> list[str]:
    """The waivers that name no check of this connector."""
    known = set(checks)
    return sorted(name for name in quality.waivers if name not in known)


def proof_problem(proven: dict[str, Any], today: date) -> str:
    """Why the recorded run is no proof; empty when it is one."""
    for key in ("version", "how"):
        if not str(proven.get(key, "")).strip():
            return f"[proven] lacks {key}"
    day = proven.get("date")
    if not isinstance(day, date):
        return "[proven] lacks date, written as 2026-03-02"
    if day > today:
        return f"[proven] is dated in the future ({day})"
    return ""


def is_fresh(proven: dict[str, Any], today: date) -> bool:
    """Whether the recorded run is younger than :data:`FRESH_DAYS`."""
    day = proven.get("date")
    return isinstance(day, date) and (today - day).days <= FRESH_DAYS
