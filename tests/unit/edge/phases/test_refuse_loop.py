"""A request that comes round is refused, and two edges in a row are none."""

from holdfast.edge.decide import decide
from holdfast.edge.decision import Forward, Respond
from holdfast.edge.phases.refuse_loop import refuse_loop
from holdfast.edge.view import view_of
from tests.unit.edge.origins import a_snapshot
from tests.unit.requests import a_request

NOW = 1_772_366_400.0


def test_a_request_that_comes_back_is_refused_with_508() -> None:
    snapshot = a_snapshot()
    first = decide(a_request(), snapshot, now=NOW)
    assert isinstance(first, Forward)
    request = a_request(headers=first.set_headers)
    back = refuse_loop(request, view_of(request, snapshot, now=NOW))
    assert isinstance(back, Respond)
    assert back.status == 508
    assert dict(back.headers)["cf-error-type"] == "508"


def test_two_edges_in_a_row_are_no_loop() -> None:
    outer = decide(a_request(), a_snapshot(instance="aa"), now=NOW)
    assert isinstance(outer, Forward)
    inner = decide(a_request(headers=outer.set_headers), a_snapshot(instance="bb"), now=NOW)
    assert isinstance(inner, Forward)
    assert dict(inner.set_headers)["CDN-Loop"] == "holdfast;instance=aa,holdfast;instance=bb"
