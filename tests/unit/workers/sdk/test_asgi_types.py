"""What `send` raises when nobody is there, and how that is known again."""

from holdfast.workers.sdk.asgi_types import ClientGone, says_client_has_gone


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
