"""The plans a zone can be on: a table, and nothing else.

No plan says anything of connections; how many rules each has room for is in `rule_quota`. Names and legacy ids are
Cloudflare's, so that scripts know them; prices are zero, since nobody is charged.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. `legacy_id` is what clients name it by; `level` orders plans from the smallest."""

    id: str
    legacy_id: str
    name: str
    level: int


PLANS: tuple[Plan, ...] = (
    Plan("0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "free", "Free Website", 0),
    Plan("1feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "pro", "Pro Website", 1),
    Plan("2feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "business", "Business Website", 2),
    Plan("3feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "enterprise", "Enterprise Website", 3),
)
DEFAULT_PLAN = PLANS[0]


def find_plan(name: str) -> Plan | None:
    """The plan with this id or legacy id."""
    return next((plan for plan in PLANS if name in (plan.id, plan.legacy_id)), None)
