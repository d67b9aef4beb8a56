"""A place names its owner and the way to a member."""

import pytest

from holdfast.edge.firewall.document_place import Place


@pytest.mark.parametrize(
    ("place", "start"),
    [
        (
            Place("example.com", "").below("rulesets[a]").below("phase"),
            "zone 'example.com', rulesets[a].phase: expected ",
        ),
        (Place("aaa", "x", "account"), "account 'aaa', x: expected "),
        (Place("aaa", "x", "account").below("y"), "account 'aaa', x.y: expected "),
    ],
)
def test_an_error_begins_with_whose_it_is_and_where(place: Place, start: str) -> None:
    error = place.wrong("no", "something else")
    assert str(error) == f"{start}something else, got 'no'"
    assert error.field == place.path
