"""The plans a zone can be on. Every plan is there for everybody, and none costs anything.

A plan says how much use is usual (`holdfast.model.plan`); Cloudflare's shapes, so that scripts that read them go on.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import not_found
from holdfast.api.zones import PlanView, plan_view
from holdfast.model.plan import PLANS, Plan, find_plan

router = APIRouter(prefix="/zones/{zone_id}", tags=["Plans"])

ReadAccess = Annotated[Access, Depends(zone_access("Zone Read"))]


class ComponentView(View):
    """What a plan counts."""

    name: str
    default: int
    unit_price: int


class RatePlanView(View):
    """A plan as it would be billed."""

    id: str
    name: str
    currency: str
    duration: int
    frequency: str
    components: list[ComponentView]


@router.get("/available_plans", response_model=Envelope[list[PlanView]])
async def list_plans(access: ReadAccess) -> Response:
    """All plans; the zone's own says `is_subscribed`."""
    return success([_view(plan, access) for plan in PLANS])


@router.get("/available_plans/{plan_id}", response_model=Envelope[PlanView])
async def show_plan(access: ReadAccess, plan_id: Annotated[str, Path(max_length=64)]) -> Response:
    """One plan, by id or legacy id."""
    plan = find_plan(plan_id)
    if plan is None:
        raise not_found("plan")
    return success(_view(plan, access))


@router.get(
    "/available_rate_plans",
    response_model=Envelope[list[RatePlanView]],
    dependencies=[Depends(zone_access("Zone Read"))],
)
async def list_rate_plans() -> Response:
    """All plans, as they would be billed."""
    return success([_rate_plan_view(plan) for plan in PLANS])


def _view(plan: Plan, access: Access) -> dict[str, Any]:
    return plan_view(plan, is_current=plan.legacy_id == access.known_zone.plan)


def _rate_plan_view(plan: Plan) -> dict[str, Any]:
    return {
        "id": plan.legacy_id,
        "name": plan.name,
        "currency": "USD",
        "duration": 1,
        "frequency": "monthly",
        "components": [],
    }
