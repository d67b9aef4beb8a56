"""What an edge keeps for us beside a socket: enough to find its object again after this process is gone.

Law 1: an edge never looks inside; what a process wrote, a later one reads. So fields are only ever added, at the end, with a default:
the value goes as an array, and a reader fills in what an older writer left out and passes over what a newer one added.
"""

from __future__ import annotations

import msgspec


class Binding(msgspec.Struct, frozen=True, array_like=True):
    """Whose socket this is, and what its object said of it.

    `object_id` is 64 hex digits, "" for a socket of no object; `attachment` as `holdfast.workers.values` encodes it; `accepted_ms`
    Unix time; `url` of the request that opened it, `protocol` the subprotocol agreed on, `ray` of the request that opened it.
    """

    class_name: str = ""
    object_id: str = ""
    object_name: str | None = None
    tags: tuple[str, ...] = ()
    attachment: bytes | None = None
    accepted_ms: int = 0
    url: str = ""
    protocol: str = ""
    ray: str = ""

    @property
    def group(self) -> int:
        """Which sockets belong together: a number of 64 bits that the edge is told, 0 for a socket of no object."""
        return group_of(self.object_id)


class BindingError(ValueError):
    """What an edge kept is no binding; its socket cannot be found an owner."""


def group_of(object_id: str) -> int:
    """The first 8 bytes of an object's id, as a number; 0 where there is none."""
    return int(object_id[:16], 16) if object_id else 0


def encode(binding: Binding) -> bytes:
    """`binding` as the edge keeps it."""
    return _ENCODER.encode(binding)


def decode(blob: bytes) -> Binding:
    """What an edge kept. Raises BindingError."""
    try:
        binding = _DECODER.decode(blob)
        _ = binding.group
    except (msgspec.DecodeError, ValueError) as error:
        raise BindingError(f"{len(blob)} bytes are no binding of a socket: {error}") from error
    return binding


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Binding)
