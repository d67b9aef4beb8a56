"""What Holdfast says to a person when it cannot do what they asked.

Law 1: `str(error)` is one sentence, without a line break, that names the thing at fault.
Law 2: an error knows its exit status: 2 when the request itself must change, 1 when the world must.

Faults of the data plane are not here: they are values (`holdfast.model.fault.Fault`), not exceptions.
"""

from __future__ import annotations

from typing import ClassVar


class HoldfastError(Exception):
    """The root of everything the command reports as one sentence. Catch it at the edge of the program only.

    `detail` is what is shown below the sentence: printable lines, such as those of a traceback; "" for nothing.
    """

    exit_status: ClassVar[int] = 1
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class UsageError(HoldfastError):
    """An option or argument that cannot be used as given.

    `field` is the option as the person spelled it (`--listen`), `value` what they gave (None: nothing), `expected` what
    would do.
    """

    exit_status = 2

    def __init__(self, field: str, value: str | None, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}, got {'nothing' if value is None else shown(value)}")
        self.field, self.value, self.expected = field, value, expected


class SetupError(HoldfastError):
    """Something outside the options stands in the way of starting: a taken port, an unreadable file."""

    exit_status = 2


class UnavailableError(HoldfastError):
    """Something we need is away, and may come back by itself: a database server. Trying again is the answer."""


class OutputError(HoldfastError):
    """Standard output takes nothing: a full disk, mostly."""


class ListenError(SetupError):
    """An address that cannot be listened on."""


class CertificateError(SetupError):
    """A certificate or key that cannot be used."""


class ConnectError(HoldfastError):
    """`holdfast connect` did not get a WebSocket, or lost it."""


def reason_of(error: OSError) -> str:
    """What the operating system refused, as the end of a sentence."""
    return (error.strerror or str(error)).lower()


def shown(value: str, *, limit: int = 200) -> str:
    """`value` in quotes, printable on one line: control characters escaped, the middle of a long one left out."""
    if len(value) > limit:
        value = f"{value[: limit // 2]}…{value[-limit // 2 :]}"
    return repr(value)
