"""Errors of the platform about objects say whether another try is worth it."""

import pytest

from holdfast.workers.durable.errors import ObjectError, ObjectReset, Overloaded, marked


def test_an_overloaded_object_is_not_to_be_tried_again() -> None:
    error = Overloaded("busy")
    assert (str(error), error.message, error.overloaded, error.retryable, error.remote) == (
        "busy",
        "busy",
        True,
        False,
        False,
    )


@pytest.mark.parametrize("retryable", [True, False])
def test_a_reset_says_whether_another_try_may_succeed(retryable: bool) -> None:
    error = ObjectReset("gone", retryable=retryable)
    assert isinstance(error, ObjectError)
    assert (error.retryable, error.overloaded, error.durableObjectReset) == (retryable, False, True)


def test_an_error_that_takes_no_properties_is_left_as_it_is() -> None:
    class Bare(Exception):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    error = Bare()
    assert marked(error, remote=True) is error
    assert marked(ValueError(), remote=True).remote is True  # type: ignore[attr-defined]  # what was just set
