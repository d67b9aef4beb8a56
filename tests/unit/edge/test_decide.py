"""The phases: their order, and what each decides."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.decide import PHASES, View, decide, forward
from holdfast.edge.decision import Forward, Respond
from tests.unit.edge.origins import ORIGIN, a_snapshot
from tests.unit.requests import a_request

NOW = 1_772_366_400.0


def test_the_order_of_the_phases_is_what_it_says() -> None:
    assert [phase.__name__ for phase in PHASES] == ["find_zone", "refuse_loop", "forward"]


@pytest.mark.parametrize("is_upgrade", [True, False])
def test_any_host_goes_to_the_origin_of_the_catch_all(is_upgrade: bool) -> None:
    decision = decide(a_request(host="any.example", is_upgrade=is_upgrade), a_snapshot(), now=NOW)
    assert isinstance(decision, Forward)
    assert decision.origin is ORIGIN
    assert ("CF-Connecting-IP", "203.0.113.7") in decision.set_headers
    assert decision.remove_headers == ()


def test_what_a_client_may_not_say_is_left_out() -> None:
    decision = decide(a_request(headers=[("cf-worker", "x"), ("CF_Ray", "y")]), a_snapshot(), now=NOW)
    assert isinstance(decision, Forward)
    assert decision.remove_headers == ("cf-worker", "CF_Ray")


def test_a_host_without_a_zone_is_refused() -> None:
    decision = decide(a_request(host="b.example"), a_snapshot("a.example"), now=NOW)
    assert isinstance(decision, Respond)
    assert decision.status == 530
    assert json.loads(decision.body)["error_code"] == 1001


def test_a_request_that_comes_back_is_refused_with_508() -> None:
    snapshot = a_snapshot()
    first = decide(a_request(), snapshot, now=NOW)
    assert isinstance(first, Forward)
    back = decide(a_request(headers=first.set_headers), snapshot, now=NOW)
    assert isinstance(back, Respond)
    assert back.status == 508
    assert dict(back.headers)["cf-error-type"] == "508"


def test_two_edges_in_a_row_are_no_loop() -> None:
    outer = decide(a_request(), a_snapshot(instance="aa"), now=NOW)
    assert isinstance(outer, Forward)
    inner = decide(a_request(headers=outer.set_headers), a_snapshot(instance="bb"), now=NOW)
    assert isinstance(inner, Forward)
    assert dict(inner.set_headers)["CDN-Loop"] == "holdfast;instance=aa,holdfast;instance=bb"


def test_forward_alone_does_not_make_up_an_origin() -> None:
    with pytest.raises(AssertionError, match="find_zone decides"):
        forward(a_request(), View(a_snapshot("a.example"), None, NOW))


_TEXT = st.text(st.characters(max_codepoint=0xFF), max_size=40)


@given(host=_TEXT, path=_TEXT, headers=st.lists(st.tuples(_TEXT, _TEXT), max_size=8), is_upgrade=st.booleans())
def test_nothing_a_client_sends_raises(host: str, path: str, headers: list[tuple[str, str]], is_upgrade: bool) -> None:
    request = a_request(host=host, path=path, headers=headers, is_upgrade=is_upgrade)
    assert isinstance(decide(request, a_snapshot(), now=NOW), Forward)
    assert isinstance(decide(request, a_snapshot("a zone of its own"), now=NOW), Respond)
