"""What a phase sees: the zone and the target of the host name, or stand-ins for them."""

import pytest

from holdfast.edge.view import NO_TARGET, NO_ZONE, view_of
from tests.unit.edge.origins import a_record, a_zone, snapshot_of
from tests.unit.requests import a_request

SNAPSHOT = snapshot_of(a_zone("example.com", a_record("chat.example.com")))


@pytest.mark.parametrize("host", ["chat.example.com", "chat.example.com."])
def test_a_final_dot_is_no_part_of_a_name(host: str) -> None:
    view = view_of(a_request(host=host), SNAPSHOT, now=1.0)
    assert (view.host, view.zone.name, view.target.name) == ("chat.example.com", "example.com", "chat.example.com")


@pytest.mark.parametrize("host", ["", ".", "..", "nobody.test", "[::1]"])
def test_without_a_zone_there_are_stand_ins(host: str) -> None:
    view = view_of(a_request(host=host), SNAPSHOT, now=1.0)
    assert view.zone is NO_ZONE
    assert view.target is NO_TARGET


def test_a_zone_without_a_record_has_no_target() -> None:
    view = view_of(a_request(host="www.example.com"), SNAPSHOT, now=1.0)
    assert view.zone is SNAPSHOT.zones["example.com"]
    assert view.target is NO_TARGET
