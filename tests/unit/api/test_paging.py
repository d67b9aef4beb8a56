"""`holdfast.api.paging`: where a page begins."""

import pytest

from holdfast.api.paging import Page


@pytest.mark.parametrize(("number", "size", "offset"), [(1, 20, 0), (2, 20, 20), (10_000_000, 50, 499_999_950)])
def test_a_page_begins_after_those_before_it(number: int, size: int, offset: int) -> None:
    assert Page(number, size).offset == offset
