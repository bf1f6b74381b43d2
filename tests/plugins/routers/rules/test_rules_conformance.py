"""The conformance kit against the rules router."""

from __future__ import annotations

from typing import Any

from hub.testing import RouterConformance
from plugins.routers.rules.router import RulesRouter


class TestRules(RouterConformance):
    """A rule for parcels, and one that never matches."""

    connector = RulesRouter
    settings: dict[str, Any] = {
        "rules": [
            {
                "name": "late parcel",
                "when": {"text": "parcel|pacco"},
                "then": {"category": "delivery", "kind": "complaint", "priority": "high", "tags": ["parcel"]},
            },
            {"name": "french", "when": {"language": ["fr"]}, "then": {"team": "paris"}},
        ]
    }
    examples = (
        ("Dov'è il mio PACCO?", {"category": "delivery", "priority": "high", "tags": ("parcel",)}),
        ("Che orari fate?", None),
    )
