"""What `send` raises when nobody is there, and how that is known again; and how else an application may end."""

import pytest

from holdfast.workers.sdk.asgi_types import ClientGone, failure_of, says_client_has_gone, was_ended
from holdfast.workers.sdk.entrypoints import DurableObjectAbort


def chained(cause: Exception) -> Exception:
    """An error of a framework's own, raised while it handled `cause`."""
    error = RuntimeError("disconnected")
    error.__context__ = cause
    return error


def test_frameworks_take_it_for_a_disconnect() -> None:
    # ASGI 2.4: "send() must raise an OSError subclass".
    assert issubclass(ClientGone, OSError)


def test_errors_that_answer_it_are_known_and_others_are_not() -> None:
    assert says_client_has_gone(ClientGone())
    assert says_client_has_gone(chained(ClientGone()))
    assert not says_client_has_gone(chained(OSError()))
    circle = ValueError()
    circle.__context__ = chained(OSError())
    circle.__context__.__cause__ = circle
    assert not says_client_has_gone(circle)


def test_what_is_no_exception_becomes_one_that_says_what_it_was() -> None:
    error = ValueError("as it is")
    assert failure_of(error) is error
    raised = SystemExit(3)
    told = failure_of(raised)
    assert (str(told), told.__cause__) == ("The application raised SystemExit(3)", raised)


@pytest.mark.parametrize(
    ("raised", "is_so"),
    [(GeneratorExit(), True), (DurableObjectAbort("enough"), True), (SystemExit(), False), (ValueError(), False)],
)
async def test_an_object_that_breaks_ends_it_too(raised: BaseException, *, is_so: bool) -> None:
    assert was_ended(raised) is is_so
