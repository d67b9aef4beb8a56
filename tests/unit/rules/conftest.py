"""What is counted of a rule's work is counted for each thread: every test begins with as much as a rule may cost."""

import pytest

from holdfast.rules.meter import end_request


@pytest.fixture(autouse=True)
def a_rule_of_its_own() -> None:
    """As if each test were a rule, and of no request that another test has begun."""
    end_request()
