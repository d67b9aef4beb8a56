"""The error that user code imports."""

from holdfast.workers.sdk.workflows import NonRetryableError


def test_it_is_an_exception_of_its_own() -> None:
    assert issubclass(NonRetryableError, Exception)
    assert str(NonRetryableError("why")) == "why"
