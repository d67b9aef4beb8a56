"""What is raised where a value cannot be kept or sent."""

from __future__ import annotations

from holdfast.workers.sdk.errors import DOMException


class DataCloneError(DOMException):
    """A value that cannot be cloned, or bytes that are no value. `.name` is `DataCloneError`, as in JavaScript."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "DataCloneError")
