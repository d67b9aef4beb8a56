"""What expressions are evaluated against."""

from holdfast.rules.context import NOTHING_KNOWN, NOWHERE, EvaluationContext, Facts, Place
from tests.unit.requests import a_request


def test_a_context_holds_a_request_its_facts_and_what_was_computed() -> None:
    request, facts = a_request(), Facts(zone_name="example.com")
    context = EvaluationContext(request, facts)
    assert (context.request, context.facts, context.computed) == (request, facts, {})


def test_nothing_is_known_unless_it_is_said() -> None:
    assert EvaluationContext(a_request()).facts is NOTHING_KNOWN
    assert (NOTHING_KNOWN.now_ms, NOTHING_KNOWN.server_ip, NOTHING_KNOWN.place) == (None, None, NOWHERE)
    assert (NOWHERE.country, NOWHERE.subdivision_1) == (None, "")
    assert Place(country="NL").country == "NL"
