"""A zone's subscription: its plan, in the words of billing. Nobody is billed.

Law: a subscription is the zone's plan and nothing else: to change the one is to change the other (PATCH of the zone), with
the same permission.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import invalid, not_found
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.api.zones import plan_of
from holdfast.model.moment import written
from holdfast.model.plan import DEFAULT_PLAN, Plan, find_plan
from holdfast.store import zones
from holdfast.store.zones import Zone

router = APIRouter(prefix="/zones/{zone_id}/subscription", tags=["Plans"])

ReadAccess = Annotated[Access, Depends(zone_access("Zone Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("Zone Write"))]

Frequency = Literal["weekly", "monthly", "quarterly", "yearly"]
RESOURCE = "subscription"


class RatePlanChoice(BaseModel):
    """A plan, by its id or legacy id."""

    model_config = ConfigDict(extra="ignore")
    id: Text = Field(max_length=64)


class SubscriptionWrite(BaseModel):
    """What to subscribe to."""

    model_config = ConfigDict(extra="ignore")
    rate_plan: RatePlanChoice | None = None
    frequency: Frequency | None = Field(default=None, description="Taken and not kept: nothing is billed.")


class RatePlanView(View):
    """The plan that is subscribed to."""

    id: str
    public_name: str
    currency: str
    scope: str
    sets: list[str]
    is_contract: bool
    externally_managed: bool


class SubscriptionView(View):
    """A zone's subscription."""

    id: str
    currency: str
    current_period_end: str | None
    current_period_start: str
    frequency: str
    price: int
    rate_plan: RatePlanView
    state: Literal["Paid"]


@router.get("", response_model=Envelope[SubscriptionView])
async def show_subscription(access: ReadAccess) -> Response:
    """The zone's plan."""
    zone = access.known_zone
    return success(_view(zone, find_plan(zone.plan) or DEFAULT_PLAN))


@router.post("", response_model=Envelope[SubscriptionView])
@router.put("", response_model=Envelope[SubscriptionView])
async def subscribe(body: SubscriptionWrite, access: WriteAccess) -> Response:
    """Put the zone on a plan. It holds at once, and what is open stays open."""
    zone, now = access.known_zone, access.context.clock()
    if body.rate_plan is None:
        raise invalid("/rate_plan", "rate_plan: expected an object with the id of a plan")
    plan = plan_of(body.rate_plan.id, "/rate_plan/id")
    async with writing(access.context.database) as connection:
        if not await zones.touch(connection, zone.id):
            raise not_found("zone")
        before = await zones.find(connection, zone.id)
        if before is None or before.plan == plan.legacy_id:
            raise Undone
        await zones.change(connection, zone.id, {"plan": plan.legacy_id}, now=now)
        old, new = {"rate_plan": {"id": before.plan}}, {"rate_plan": {"id": plan.legacy_id}}
        await access.record(connection, "update", RESOURCE, zone.id, old=old, new=new)
    await access.context.on_change([zone.id])
    return success(_view(zone, plan))


def _view(zone: Zone, plan: Plan) -> dict[str, Any]:
    return {
        "id": zone.id,
        "currency": "USD",
        "current_period_end": None,
        "current_period_start": written(zone.created_on),
        "frequency": "monthly",
        "price": 0,
        "rate_plan": {
            "id": plan.legacy_id,
            "public_name": plan.name,
            "currency": "USD",
            "scope": "zone",
            "sets": [],
            "is_contract": False,
            "externally_managed": False,
        },
        "state": "Paid",
    }
