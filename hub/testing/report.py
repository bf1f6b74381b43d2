"""What a conformance run tells: lines for people, JSON for machines, a badge for the README."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from hub.catalogue.contract import roles_of, side_of
from hub.testing.pytest_plugin import Result
from hub.testing.quality import Quality, quality_of
from hub.testing.tiers import Held, judge, stale_words

_COLOURS = {"": "#9f9f9f", "bronze": "#a97142", "silver": "#8a9ba8", "gold": "#c9a227"}


def _judged(suite: type, results: Mapping[str, Result]) -> tuple[str, Quality, Held]:
    connector: Any = suite.connector  # type: ignore[attr-defined]
    side = side_of(connector) or "source"
    quality = quality_of(connector)
    return side, quality, judge(connector, side, roles_of(connector, side), quality, results)


def lines(results: Mapping[type, Mapping[str, Result]], *, every: bool) -> Iterator[str]:
    """One line per connector, then its waivers and failures (or every check)."""
    for suite, checks in results.items():
        side, quality, held = _judged(suite, checks)
        count = Counter(result.outcome for result in checks.values())
        told = ", ".join(f"{count[outcome]} {outcome}" for outcome in ("passed", "waived", "failed") if count[outcome])
        yield f"{suite.connector.name} ({side}): {held.tier or 'no tier'} - {len(checks)} checks: {told}"  # type: ignore[attr-defined]
        for name, result in checks.items():
            if every or result.outcome != "passed":
                yield f"  {result.outcome:7} {name}" + (f" - {result.reason}" if result.reason else "")
        if held.stale:
            yield f"  {stale_words(quality)}"


def write(folder: Path, results: Mapping[type, Mapping[str, Result]]) -> None:
    """``<side>-<name>.json`` and ``.svg`` in ``folder`` for each connector."""
    folder.mkdir(parents=True, exist_ok=True)
    for suite, checks in results.items():
        connector: Any = suite.connector  # type: ignore[attr-defined]
        side, quality, held = _judged(suite, checks)
        told = {
            "connector": connector.name,
            "side": side,
            "tier": held.tier,
            "claimed": quality.tier,
            "owner": quality.owner,
            "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "proven": {key: str(value) for key, value in quality.proven.items()},
            "lacks": [{"tier": rule.tier, "what": rule.lacks} for rule in held.broken],
            "checks": {name: {"result": result.outcome, "reason": result.reason} for name, result in checks.items()},
        }
        path = folder / f"{side}-{connector.name}"
        path.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        path.with_suffix(".svg").write_text(badge(held.tier), encoding="utf-8")


def badge(tier: str) -> str:
    """A small picture: "Social Care Hub | silver"."""
    left, right = "Social Care Hub", tier or "no tier"
    first, second = 7 * len(left) + 10, 7 * len(right) + 10
    label = escape(f"{left}: {right}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{first + second}" height="20" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<rect width="{first}" height="20" fill="#444"/>'
        f'<rect x="{first}" width="{second}" height="20" fill="{_COLOURS[tier]}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,sans-serif" font-size="11">'
        f'<text x="{first / 2}" y="14">{escape(left)}</text>'
        f'<text x="{first + second / 2}" y="14">{escape(right)}</text></g></svg>\n'
    )
