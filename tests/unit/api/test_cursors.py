"""Cursors: what was given is understood again, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.cursors import cursor_of, place_of
from holdfast.api.faults import ApiFault

PLACE = re.compile(r"([0-9]{1,18}) ([0-9a-f]{4})")


@given(st.integers(0, 10**18 - 1), st.text("0123456789abcdef", min_size=4, max_size=4))
def test_what_was_given_is_understood_again(moment: int, ident: str) -> None:
    assert place_of(cursor_of(f"{moment} {ident}"), PLACE).groups() == (str(moment), ident)


@pytest.mark.parametrize(
    "cursor", ["x", "====", "ü", "\x00", cursor_of("1 xyz"), cursor_of("ü"), cursor_of("1 abcd")[:-2]]
)
def test_what_nobody_gave_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(ApiFault) as refused:
        place_of(cursor, PLACE)
    (complaint,) = refused.value.complaints
    assert (refused.value.status, complaint.pointer) == (400, "/cursor")
    assert complaint.message == "cursor: expected one that a page before this gave"
