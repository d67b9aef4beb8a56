"""`holdfast.model.token_terms`: what is passed on is as strict, or stricter."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.token_terms import Terms, looser_term


def terms(*wanted: str, but: tuple[str, ...] = (), until: int | None = None) -> Terms:
    return Terms(expires_on=until, condition={"request_ip": {"in": list(wanted), "not_in": list(but)}})


@pytest.mark.parametrize(
    ("granted", "own", "looser"),
    [
        (Terms(), Terms(), None),
        (Terms(expires_on=5), Terms(), None),
        (Terms(), Terms(expires_on=5), "expires_on"),
        (Terms(expires_on=5), Terms(expires_on=5), None),
        (Terms(expires_on=6), Terms(expires_on=5), "expires_on"),
        (terms("192.0.2.0/24"), Terms(), None),
        (Terms(), terms("192.0.2.0/24"), "condition"),
        (terms("192.0.2.7"), terms("192.0.2.0/24"), None),
        (terms("192.0.2.0/23"), terms("192.0.2.0/24"), "condition"),
        (terms("192.0.2.7", "198.51.100.1"), terms("192.0.2.0/24"), "condition"),
        # Two halves are the whole.
        (terms("192.0.2.0/24"), terms("192.0.2.0/25", "192.0.2.128/25"), None),
        (terms("2001:db8::1"), terms("192.0.2.0/24"), "condition"),
        (terms("0.0.0.0/0"), terms("::/0"), "condition"),
        (terms("::ffff:192.0.2.7"), terms("192.0.2.0/24"), None),
        # What is left out stays out: named again, or not among what is wanted.
        (Terms(), terms(but=("192.0.2.0/24",)), "condition"),
        (terms(but=("192.0.2.0/24",)), terms(but=("192.0.2.0/24",)), None),
        (terms(but=("192.0.2.0/23",)), terms(but=("192.0.2.0/24",)), None),
        (terms(but=("192.0.2.7",)), terms(but=("192.0.2.0/24",)), "condition"),
        (terms("198.51.100.0/24"), terms(but=("192.0.2.0/24",)), None),
        (terms("192.0.2.7"), terms(but=("192.0.2.0/24",)), "condition"),
        (terms("192.0.0.0/16"), terms(but=("192.0.2.0/24",)), "condition"),
        (terms("192.0.0.0/16", but=("192.0.2.0/24",)), terms(but=("192.0.2.0/24",)), None),
        (terms("192.0.2.0/25", but=("192.0.2.0/25",)), terms("192.0.2.0/24", but=("192.0.2.0/24",)), None),
        (Terms(), Terms(condition={"request.ip": {"in": ["192.0.2.1"]}}), "condition"),
    ],
)
def test_terms_are_stricter_where_they_allow_nothing_more(granted: Terms, own: Terms, looser: str | None) -> None:
    assert looser_term(granted, own) == looser


# Networks of few addresses, so that they often meet.
NETWORKS = st.lists(
    st.builds(
        lambda bits, length: str(ipaddress.ip_network((0xC0000200 | bits, length), strict=False)),
        st.integers(0, 15),
        st.integers(28, 32),
    ),
    max_size=3,
)
TERMS = st.builds(
    lambda wanted, unwanted, until: terms(*wanted, but=tuple(unwanted), until=until),
    NETWORKS,
    NETWORKS,
    st.none() | st.integers(1, 3),
)


def uses(given: Terms) -> set[tuple[str, int]]:
    """(address, moment) of all uses that terms allow; .16 stands for all addresses that no network names."""
    condition: dict[str, Any] = given.condition["request_ip"]

    def is_in(number: int, networks: list[str]) -> bool:
        return any(ipaddress.ip_address(0xC0000200 | number) in ipaddress.ip_network(one) for one in networks)

    return {
        (str(number), moment)
        for number in range(17)
        for moment in range(5)
        if (given.expires_on is None or moment < given.expires_on)
        and (not condition["in"] or is_in(number, condition["in"]))
        and not is_in(number, condition["not_in"])
    }


@given(TERMS, TERMS)
def test_whatever_is_no_looser_allows_no_other_use(granted: Terms, own: Terms) -> None:
    if looser_term(granted, own) is None:
        assert uses(granted) <= uses(own)


@given(TERMS)
def test_terms_are_as_strict_as_themselves(own: Terms) -> None:
    assert looser_term(own, own) is None
