"""What goes wrong with an object as its callers see it, in the original's words.

Law: an error that came out of an object has `remote` True; `retryable` says that another try may succeed; one that is `overloaded` is
never to be tried again at once.
"""

from typing import Any

from holdfast.workers.sdk.errors import JsException

RESET_BY_CODE = "Durable Object reset because its code was updated."
NO_LONGER_ACTIVE = (
    "Connection closed: this Durable Object instance is no longer active. Reconnect or retry the request."
)
SOCKET_LOST = "Durable Object connection closed because the object was reset."
STORAGE_STALLED = "Durable Object storage operation exceeded timeout which caused object to be reset."
TOO_MANY_QUEUED = "Durable Object is overloaded. Too many requests queued."
QUEUED_TOO_LONG = "Durable Object is overloaded. Requests queued for too long."
BLOCKED_TOO_LONG = "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset."


class ObjectError(JsException):
    """An error of the platform about an object: it was reset, or has too much to do."""

    def __init__(self, message: str, *, retryable: bool = False, overloaded: bool = False) -> None:
        super().__init__(message)
        self.remote = False
        self.retryable = retryable
        self.overloaded = overloaded

    def __str__(self) -> str:
        return self.message


class ObjectReset(ObjectError):
    """The instance is gone; the next call makes a new one."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message, retryable=retryable)
        self.durableObjectReset = True


class StorageReset(ObjectReset):
    """The instance is gone because its file is of no use any more."""


class Overloaded(ObjectError):
    """The object has more to do than it may."""

    def __init__(self, message: str) -> None:
        super().__init__(message, overloaded=True)


def marked(error: BaseException, **properties: Any) -> BaseException:  # noqa: ANN401  whatever a property of an error is
    """The error with these properties, where its class lets it have any."""
    for name, value in properties.items():
        try:
            setattr(error, name, value)
        except Exception:  # noqa: BLE001  AttributeError of one without, or what user code raises there
            return error
    return error
