"""`Policy`: the two callables of an edge, with a clock of our own."""

import json

from holdfast.edge.decision import Forward
from holdfast.edge.policy import Policy
from holdfast.model.fault import Fault
from tests.unit.edge.origins import a_snapshot
from tests.unit.requests import a_request


def test_it_decides_and_answers_by_its_clock() -> None:
    policy = Policy(a_snapshot(), clock=lambda: 1_772_366_400.0)
    assert isinstance(policy.decide(a_request()), Forward)
    answer = policy.answer(Fault(521, 521, "the origin refused", "http://origin", a_request()))
    assert answer.status == 521
    assert json.loads(answer.body)["timestamp"] == "2026-03-01T12:00:00Z"
