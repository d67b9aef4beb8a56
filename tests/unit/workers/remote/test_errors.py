"""Exceptions of one script as another one gets them."""

import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers import values
from holdfast.workers.durable.errors import ObjectReset, Overloaded
from holdfast.workers.remote.errors import MAX_DETAIL_BYTES, error_of, record_of
from holdfast.workers.sdk.errors import DOMException, JsException, JsRangeError, JsTypeError


def there(error: BaseException) -> Exception:
    """What arrives of it."""
    return error_of(values.decode(values.encode(record_of(error))))


class NotFound(KeyError):
    """Of a script."""


class Odd(ValueError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.one, self.two = one, two

    def __str__(self) -> str:
        return f"odd: {self.args[0]}"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a", 1),
        KeyError("k"),
        FileNotFoundError(2, "No such file"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
        JsTypeError("t"),
        JsRangeError("r"),
        DOMException("d", "DataCloneError"),
        Overloaded("too much"),
        NotFound("x"),
        Odd(1, 2),
    ],
)
def test_what_is_known_on_both_sides_arrives_as_it_was(error: Exception) -> None:
    arrived = there(error)
    assert (type(arrived), str(arrived), arrived.args, vars(arrived)) == (
        type(error), str(error), error.args, vars(error),
    )  # fmt: skip


def test_what_the_other_side_does_not_know_is_caught_by_its_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(Odd(1, 2))
    monkeypatch.delattr(sys.modules[__name__], "Odd")
    arrived = error_of(record)
    assert type(arrived).__name__ == "Odd"
    assert isinstance(arrived, ValueError)
    assert (str(arrived), vars(arrived)) == ("odd: 1 and 2", {"one": 1, "two": 2})
    with pytest.raises(ValueError, match="odd: 1 and 2"):
        raise arrived


def test_properties_of_the_platform_arrive() -> None:
    arrived: Any = there(ObjectReset("gone", retryable=True))
    assert (arrived.retryable, arrived.overloaded, arrived.remote, arrived.durableObjectReset) == (
        True, False, False, True,
    )  # fmt: skip


def test_a_traceback_and_notes_stay_at_home() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018  raising is the test
    caught.value.add_note("In the object: /a/secret/path.py")
    arrived = there(caught.value)
    assert arrived.__traceback__ is None
    assert not hasattr(arrived, "__notes__")


def test_what_cannot_be_sent_of_an_exception_is_its_text() -> None:
    error = ValueError(object)
    error.lock = lambda: None  # type: ignore[attr-defined]
    arrived: Any = there(error)
    assert (arrived.args, arrived.lock[:9]) == (("<class 'object'>",), "<function")


def test_an_exception_whose_text_cannot_be_read_is_one_all_the_same() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert isinstance(there(Silent()), Exception)


def test_more_than_people_read_does_not_go_along() -> None:
    error = JsException("x")
    error.much = ["y" * 1_000] * (MAX_DETAIL_BYTES // 1_000 + 10)  # type: ignore[attr-defined]
    error.more = ["y" * 1_000] * (MAX_DETAIL_BYTES // 1_000 - 10)  # type: ignore[attr-defined]
    assert len(values.encode(record_of(error))) < MAX_DETAIL_BYTES


def test_nothing_is_run_that_a_record_names() -> None:
    module = ModuleType("module_of_a_test")
    module.__dict__.update({"run": lambda: pytest.fail("it was called"), "Plain": object, "Other": SystemExit})
    sys.modules[module.__name__] = module
    try:
        for name in ("run", "Plain", "Other", "nothing"):
            record: dict[str, Any] = {
                "type": name,
                "module": module.__name__,
                "text": "t",
                "args": [],
                "bases": [],
                "properties": {},
            }
            assert isinstance(error_of(record), Exception)
    finally:
        del sys.modules[module.__name__]


@given(
    st.dictionaries(
        st.sampled_from(["type", "module", "bases", "text", "args", "properties"]),
        st.recursive(
            st.none() | st.integers() | st.text() | st.sampled_from(["builtins", "ValueError", "OSError", "exit"]),
            # More takes Hypothesis minutes now and then, and the shape is what matters.
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=10,
        ),
    )
    | st.none()
    | st.lists(st.integers())
)
def test_there_is_an_exception_for_every_record(record: object) -> None:
    assert isinstance(error_of(record), Exception)


class Unreadable(Exception):
    """Of user code that is up to something, or broken."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_there_is_a_record_of_what_refuses_to_be_looked_at() -> None:
    itself = ValueError("round")
    itself.args = (itself,)
    itself.self = itself  # type: ignore[attr-defined]
    for error in (Unreadable("x"), itself):
        made = error_of(record_of(error))
        assert type(made).__name__ == type(error).__name__
