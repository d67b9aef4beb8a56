"""Names that nobody has here, and names that are not served."""

import json

import pytest

from holdfast.edge.decision import Respond
from holdfast.edge.phases.find_zone import find_zone
from holdfast.edge.snapshot import empty_snapshot
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


@pytest.mark.parametrize("is_upgrade", [True, False])
def test_before_it_is_known_which_zones_there_are_no_name_is_called_unknown(is_upgrade: bool) -> None:
    unpublished = empty_snapshot(instance="00ff", is_published=False)
    request = a_request(host="chat.example.com", is_upgrade=is_upgrade, headers=[("Accept", "application/json")])
    decision = find_zone(request, view_of(request, unpublished, now=1.0))
    assert isinstance(decision, Respond)
    problem = json.loads(decision.body)
    assert (decision.status, problem["error_code"], problem["error_name"]) == (503, 503, "edge_not_configured")
    assert problem["title"] == "The edge has no configuration yet"
    assert ("Retry-After", "2") in decision.headers


def test_where_there_are_no_zones_every_name_is_unknown() -> None:
    request = a_request(host="chat.example.com")
    known = empty_snapshot(instance="00ff", is_published=False).with_changes()
    decision = find_zone(request, view_of(request, known, now=1.0))
    assert isinstance(decision, Respond)
    assert decision.status == 530


def test_a_proxied_record_goes_on() -> None:
    request = a_request(host="chat.example.com")
    assert find_zone(request, view_of(request, SNAPSHOT, now=1.0)) is None
