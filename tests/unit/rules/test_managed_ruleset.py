"""Which override of a managed rule counts, and which are refused, with where they stand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.managed_ruleset import (
    MAX_FIELD_CHARS,
    ManagedRule,
    Override,
    OverrideError,
    Overrides,
    shown_field,
)

ID, OTHER_ID = "a" * 32, "b" * 32
RULE = ManagedRule(ID, "test-1", "A rule.", ("sqli", "query"), "block", enabled=True, score=5)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, Override("block", True)),  # noqa: FBT003
        ({}, Override("block", True)),  # noqa: FBT003
        ({"action": "log"}, Override("log", True)),  # noqa: FBT003
        ({"enabled": False}, Override("block", False)),  # noqa: FBT003
        ({"categories": [{"category": "xss", "action": "log"}]}, Override("block", True)),  # noqa: FBT003
        ({"action": "challenge", "categories": [{"category": "sqli", "action": "log"}]}, Override("log", True)),  # noqa: FBT003
        (
            {
                "categories": [
                    {"category": "query", "action": "challenge", "enabled": False},
                    {"category": "sqli", "action": "log"},
                ]
            },
            Override("log", False),  # noqa: FBT003
        ),
        (
            {
                "enabled": False,
                "categories": [{"category": "sqli", "action": "log", "enabled": False}],
                "rules": [{"id": ID, "enabled": True, "score_threshold": 25}],
            },
            Override("log", True, 25),  # noqa: FBT003
        ),
        ({"rules": [{"id": OTHER_ID, "action": "log"}]}, Override("block", True)),  # noqa: FBT003
        ({"sensitivity_level": "default"}, Override("block", True)),  # noqa: FBT003
    ],
)
def test_the_most_special_override_of_each_property_counts(written: Any, expected: Override) -> None:
    assert Overrides.parse(written).of(RULE) == expected


@pytest.mark.parametrize(
    ("written", "pointer"),
    [
        ([], ""),
        ({"rule": []}, "/rule"),
        ({"action": "allow"}, "/action"),
        ({"action": ["log"]}, "/action"),
        ({"enabled": 1}, "/enabled"),
        ({"sensitivity_level": "low"}, "/sensitivity_level"),
        ({"sensitivity_level": "loud"}, "/sensitivity_level"),
        ({"categories": {}}, "/categories"),
        ({"categories": ["sqli"]}, "/categories/0"),
        ({"categories": [{"category": "a"}, {"action": "log"}]}, "/categories/1/category"),
        ({"categories": [{"category": "a", "score_threshold": 5}]}, "/categories/0/score_threshold"),
        ({"rules": [{"id": "942100"}]}, "/rules/0/id"),
        ({"rules": [{"id": ID}, {"id": ID}]}, "/rules/1/id"),
        ({"rules": [{"id": ID, "action": "skip"}]}, "/rules/0/action"),
        ({"rules": [{"id": ID, "score_threshold": 0}]}, "/rules/0/score_threshold"),
        ({"rules": [{"id": ID, "score_threshold": True}]}, "/rules/0/score_threshold"),
        ({"rules": [{"id": f"{place:032x}"} for place in range(1001)]}, "/rules"),
    ],
)
def test_what_cannot_be_used_is_refused_with_where_it_stands(written: Any, pointer: str) -> None:
    with pytest.raises(OverrideError) as refused:
        Overrides.parse(written)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("written", "pointer"),
    [
        ({"categories": [{"category": "sqli"}, {"category": "xss"}]}, "/categories/1/category"),
        ({"rules": [{"id": ID}, {"id": OTHER_ID}]}, "/rules/1/id"),
        ({"rules": [{"id": ID, "score_threshold": 25}]}, "/rules/0/score_threshold"),
    ],
)
def test_an_override_of_what_is_not_there_is_refused(written: Any, pointer: str) -> None:
    with pytest.raises(OverrideError) as refused:
        Overrides.parse(written).refuse_unknown([RULE])
    assert refused.value.pointer == pointer


def test_an_override_of_what_is_there_is_not() -> None:
    written = {"categories": [{"category": "sqli"}], "rules": [{"id": ID, "score_threshold": 25}]}
    Overrides.parse(written).refuse_unknown([RULE], with_threshold=[ID])


_ENTRIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["log", "sqli", ID, ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["action", "enabled", "rules", "categories", "id", "category", "score_threshold", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_ENTRIES)
def test_whatever_is_written_is_read_or_refused_by_name(written: Any) -> None:
    try:
        read = Overrides.parse(written)
    except OverrideError as error:
        assert str(error)  # noqa: PT017
    else:
        assert read.of(RULE).action is not None


def test_a_long_value_is_cut_and_the_cut_is_marked() -> None:
    name, value = shown_field("http.cookie", "x" * 300)
    assert (name, len(value), value[-1]) == ("http.cookie", MAX_FIELD_CHARS, "…")
    assert shown_field("http.cookie", "x" * MAX_FIELD_CHARS)[1] == "x" * MAX_FIELD_CHARS
