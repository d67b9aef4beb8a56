"""Names that nobody has here, and names that are not served."""

import json

import pytest

from holdfast.edge.decision import Respond
from holdfast.edge.phases.find_zone import find_zone
from holdfast.edge.view import view_of
from tests.unit.edge.origins import a_record, a_zone, snapshot_of
from tests.unit.requests import a_request

SNAPSHOT = snapshot_of(
    a_zone("example.com", a_record("chat.example.com"), a_record("direct.example.com", proxied=False))
)


@pytest.mark.parametrize(
    ("host", "code", "said"),
    [
        ("nobody.test", 1001, "No zone of this edge"),
        ("www.example.com", 1001, "has no DNS record"),
        ("direct.example.com", 1004, "is not proxied"),
    ],
)
@pytest.mark.parametrize("is_upgrade", [True, False])
def test_a_name_without_a_proxied_record_is_refused(host: str, code: int, said: str, is_upgrade: bool) -> None:
    request = a_request(host=host, is_upgrade=is_upgrade, headers=[("Accept", "application/json")])
    decision = find_zone(request, view_of(request, SNAPSHOT, now=1.0))
    assert isinstance(decision, Respond)
    problem = json.loads(decision.body)
    assert (decision.status, problem["error_code"]) == (530, code)
    assert said in problem["detail"]


def test_a_proxied_record_goes_on() -> None:
    request = a_request(host="chat.example.com")
    assert find_zone(request, view_of(request, SNAPSHOT, now=1.0)) is None
