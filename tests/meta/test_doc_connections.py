"""docs/connections.md and the code say the same: the words for an end, what is shown, what is asked, and the bounds.

Law: the vocabulary, the views and the constants are the authority.
"""

import re

import pytest

from holdfast.api import streaming
from holdfast.api.connection_shapes import ClosedConnectionView, ConnectionView
from holdfast.api.connections import ListFilter
from holdfast.app import stream_limits
from holdfast.control import connection_watch
from holdfast.model.close_reason import CLOSED_BY, WHYS
from holdfast.model.connection_messages import MAX_DEPTH
from tests.meta.test_doc_tables import difference, rows_of, section_of
from tests.meta.tree import ROOT, complain

DOCUMENT = "docs/connections.md"
TEXT = (ROOT / DOCUMENT).read_text(encoding="utf-8")


def names_of(heading: str, first_column: str) -> list[str]:
    """What is code in the first column of the tables of a section."""
    rows = rows_of(section_of(TEXT, heading), first_column=first_column)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]


@pytest.mark.parametrize(("column", "words"), [("`closed_by`", CLOSED_BY), ("`why`", WHYS)])
def test_every_word_for_an_end_has_its_sentence(column: str, words: dict[str, str]) -> None:
    said = {row[0].strip("`"): row[1] for row in rows_of(section_of(TEXT, "Why it closed"), first_column=column)}
    complain(difference(DOCUMENT, list(said), [str(word) for word in words]))
    assert said == {str(word): sentence for word, sentence in words.items()}


def test_every_member_is_described() -> None:
    complain(difference(DOCUMENT, names_of("What is shown", "member"), list(ClosedConnectionView.model_fields)))
    assert set(ConnectionView.model_fields) < set(ClosedConnectionView.model_fields)


def test_every_parameter_of_the_list_is_described() -> None:
    complain(difference(DOCUMENT, names_of("The list", "parameter"), [*ListFilter.model_fields, "page", "per_page"]))


def test_the_bounds_are_those_of_the_code() -> None:
    for said in (
        f"within the first {MAX_DEPTH:,}",
        f"more than {connection_watch.MAX_WAITING:,} wait",
        f"not taken for {streaming.SEND_LIMIT_S:.0f} s",
        f"looked at every {streaming.RECHECK_S:.0f} s",
        f"of pings {stream_limits.MAX_PINGS} in {stream_limits.PING_INTERVAL_S:.0f} s",
        f"There are {streaming.MAX_STREAMS} streams at once, and {streaming.MAX_STREAMS_OF_OWNER} of one",
    ):
        assert said in TEXT, said
