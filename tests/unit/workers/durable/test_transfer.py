"""What crosses between objects is a copy, equal to what was sent, and nothing that the sender can change afterwards."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.transfer import MAX_DEPTH, copied, copied_error, text_of
from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.response import Response

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


class Level(Enum):
    HIGH = 1


class Own(Exception):
    """An error of user code, with properties."""

    def __init__(self, text: str, *, custom: int) -> None:
        super().__init__(text)
        self.custom = custom


def refused(function: Callable[..., Any]) -> Any:
    raise AssertionError(f"no function was sent: {function}")


def containers(value: Any) -> list[int]:
    found = [id(value)] if isinstance(value, dict | list | set) else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [one for item in inner for one in containers(item)]


@given(VALUES)
def test_a_copy_is_equal_and_shares_no_container(value: Any) -> None:
    arrived = copied(value, refused)
    assert arrived == value
    assert not set(containers(arrived)) & set(containers(value))


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ((1, 2), [1, 2]),
        (frozenset({1}), {1}),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (Colour.RED, "red"),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        (10**40, 10**40),
    ],
)
def test_what_has_a_plainer_kind_arrives_as_that(sent: Any, arrives: Any) -> None:
    got = copied([sent], refused)[0]
    assert got == arrives
    assert type(got) is type(arrives)


def test_circles_and_shared_parts_stay_what_they_are() -> None:
    shared: list[Any] = [1]
    circle: dict[str, Any] = {"one": shared, "two": shared}
    circle["self"] = circle
    arrived = copied(circle, refused)
    assert arrived["self"] is arrived
    assert arrived["one"] is arrived["two"]
    assert arrived["one"] is not shared


KEYS = st.recursive(
    st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, st.integers(), max_size=4), st.sets(KEYS, max_size=4))
def test_what_is_looked_up_by_stays_what_it_is(board: dict[Any, int], places: set[Any]) -> None:
    assert copied(board, refused) == board
    assert copied(places, refused) == places


def test_a_key_that_is_nested_too_deep_is_refused() -> None:
    key: Any = 1
    for _ in range(MAX_DEPTH + 1):
        key = (key,)
    with pytest.raises(DOMException, match="nested more than 200 deep"):
        copied({key: 1}, refused)


def test_a_dictionary_is_read_by_attribute_too() -> None:
    assert copied({"name": {"first": "Ann"}}, refused).name.first == "Ann"


def test_what_has_a_life_goes_as_it_is_and_a_function_as_its_reference() -> None:
    answer = Response("text")
    assert copied([answer], refused)[0] is answer
    assert copied([len], lambda function: f"calls {function.__name__}") == ["calls len"]


@pytest.mark.parametrize("sent", [object(), Level.HIGH, range(3)])
def test_what_cannot_be_copied_is_refused_by_its_type(sent: Any) -> None:
    with pytest.raises(DOMException, match=type(sent).__qualname__) as caught:
        copied([sent], refused)
    assert caught.value.name == "DataCloneError"
    # The name is said once.
    assert str(caught.value).startswith("DataCloneError: An object of type ")
    assert caught.value.message.startswith("An object of type ")


def test_what_is_nested_too_deep_is_refused_before_the_stack_ends() -> None:
    deep: list[Any] = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(DOMException, match=f"more than {MAX_DEPTH} deep"):
        copied(deep, refused)


def test_an_error_arrives_with_class_text_properties_and_where_it_was() -> None:
    def raises() -> None:
        raise Own("broken", custom=5)

    with pytest.raises(Own) as caught:
        raises()
    arrived = copied_error(caught.value, refused)
    assert type(arrived) is Own
    assert arrived is not caught.value
    assert (str(arrived), arrived.custom, arrived.remote) == ("broken", 5, True)  # type: ignore[attr-defined]  # just set
    assert "raises" in arrived.__notes__[0]
    assert arrived.__traceback__ is None


def test_what_of_an_error_cannot_be_copied_arrives_as_text() -> None:
    arrived = copied_error(ValueError(object()), refused)
    assert str(arrived.args[0]).startswith("<object object")


@pytest.mark.parametrize(
    "error", [KeyError("k"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), OSError(2, "none")]
)
def test_errors_of_python_keep_their_texts(error: Exception) -> None:
    assert str(copied_error(copy.copy(error), refused)) == str(error)


def test_an_error_that_has_itself_in_it_arrives() -> None:
    error = ValueError("broken")
    error.itself = error  # type: ignore[attr-defined]
    error.others = [error, {"again": error}]  # type: ignore[attr-defined]
    arrived: Any = copied_error(error, refused)
    assert (type(arrived), str(arrived), arrived.itself is arrived) == (ValueError, "broken", True)
    assert (arrived.others[0] is arrived, arrived.others[1]["again"] is arrived) == (True, True)
    error.args = (error,)
    assert copied_error(error, refused).args == (text_of(error),)


class Unreadable(Exception):
    """Of user code that is up to something, or broken."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


class Unwritable(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError("no")


class Unsaid:
    """A property of an error."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


# Made where they are needed: pytest looks at the cases of a test, and these do not like that.
@pytest.mark.parametrize(
    "make", [lambda: Unreadable("x"), lambda: Unwritable("x"), lambda: ValueError(Unsaid())], ids=["read", "set", "say"]
)
def test_an_error_that_refuses_what_is_done_with_it_arrives_all_the_same(make: Callable[[], Exception]) -> None:
    error = make()
    arrived = copied_error(error, refused)
    assert isinstance(arrived, Exception)
    assert arrived is not error
    assert type(error).__name__ in {type(arrived).__name__, getattr(arrived, "name", "")}
