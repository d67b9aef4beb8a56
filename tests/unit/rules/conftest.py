"""What is counted of a rule's work is counted for each thread: every test, and every example of one, begins with as much
as a rule may cost.
"""

from collections.abc import Callable
from functools import wraps

import pytest

from holdfast.rules.meter import end_request


@pytest.fixture(autouse=True)
def a_rule_of_its_own() -> None:
    """As if each test were a rule, and of no request that another test has begun."""
    end_request()


def pytest_itemcollected(item: pytest.Item) -> None:
    """A fixture is made once for all examples of a property: what they call begins anew for each."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is not None and not hasattr(handle.inner_test, "begins_anew"):
        handle.inner_test = _beginning_anew(handle.inner_test)


def _beginning_anew(check: Callable[..., None]) -> Callable[..., None]:
    @wraps(check)
    def anew(*given: object, **named: object) -> None:
        end_request()
        check(*given, **named)

    anew.begins_anew = True  # type: ignore[attr-defined]
    return anew
