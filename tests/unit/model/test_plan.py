"""`holdfast.model.plan`: the four plans, by either name."""

import pytest

from holdfast.model.plan import DEFAULT_PLAN, PLANS, Plan, find_plan


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.legacy_id)
def test_a_plan_is_found_by_its_id_and_its_legacy_id(plan: Plan) -> None:
    assert find_plan(plan.id) is find_plan(plan.legacy_id) is plan


@pytest.mark.parametrize("name", ["", "Free", "free ", "none"])
def test_no_other_name_is_a_plan(name: str) -> None:
    assert find_plan(name) is None


def test_plans_stand_from_the_smallest_on_and_the_first_is_the_default() -> None:
    assert [plan.legacy_id for plan in sorted(PLANS, key=lambda plan: plan.level)] == [
        "free",
        "pro",
        "business",
        "enterprise",
    ]
    assert DEFAULT_PLAN is PLANS[0]
