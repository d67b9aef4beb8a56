"""`request.cf`: what is known of a client, and None for what is not."""

import pytest

from holdfast.workers.sdk.web.client_facts import NAMES, ClientFacts
from holdfast.workers.values import decode, encode

FACTS = {"country": "DE", "asn": 64512}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_attribute_of_the_originals_is_there_whether_it_is_known_or_not(name: str) -> None:
    assert getattr(ClientFacts(FACTS), name) == FACTS.get(name)
    assert getattr(ClientFacts(), name) is None


def test_it_is_a_dictionary_of_what_is_known() -> None:
    facts = ClientFacts(FACTS)
    assert (facts, "city" in facts, facts.to_py(), decode(encode(facts))) == (FACTS, False, FACTS, FACTS)
    assert facts.constructor.name == "Object"


def test_what_the_original_does_not_have_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="contry"):
        _ = ClientFacts(FACTS).contry
