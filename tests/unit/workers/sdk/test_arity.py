"""How many arguments a callback gets."""

import operator
from functools import partial
from typing import Any

import pytest

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.ffi import create_proxy


class Hearer:
    def one(self, first: Any) -> Any:
        return (first,)

    def __call__(self, first: Any, second: Any) -> Any:
        return (first, second)


class Secret:
    """A callable that says nothing of itself."""

    __signature__ = "none"

    def __call__(self, *given: Any) -> Any:
        return given


@pytest.mark.parametrize(
    ("function", "heard"),
    [
        (lambda: (), ()),
        (lambda first: (first,), (1,)),
        (lambda first, second: (first, second), (1, 2)),
        (lambda first, second=9: (first, second), (1, 2)),
        (lambda *given: given, (1, 2, 3)),
        (lambda first, *rest: (first, *rest), (1, 2, 3)),
        (Hearer().one, (1,)),
        (Hearer(), (1, 2)),
        (create_proxy(lambda first: (first,)), (1,)),
        (create_proxy(Hearer().one), (1,)),
        (partial(Hearer().one), (1,)),
        (operator.add, 3),
        (str, "1"),
        (Secret(), (1,)),
    ],
)
def test_a_callback_hears_what_it_has_names_for(function: Any, heard: object) -> None:
    assert as_many(function, 1, 2, 3) == heard
