"""Ordered rules, written by the operator: when this holds, then that."""

from collections.abc import Sequence

from hub.sdk import Router, hookimpl


@hookimpl
def register_routers() -> Sequence[type[Router]]:
    """The rules router."""
    from plugins.routers.rules.router import RulesRouter

    return [RulesRouter]
