"""What an edge keeps for us beside a socket: enough to find its object again after this process is gone.

Law 1: an edge never looks inside; what a process wrote, a later one reads. So fields are only ever added, at the end, with a default:
the value goes as an array, and a reader fills in what an older writer left out and passes over what a newer one added.
Law 2: what a field means never changes but with FORMAT. That is one byte, always at the same place, so that each version finds it in what any
other one wrote: what was written before there was one has none, which is 0, and is read; a format of later is no binding.
"""

from __future__ import annotations

import msgspec

# What this version writes. It reads that and all before: 0 says the same, without this byte.
FORMAT = 1


class Binding(msgspec.Struct, frozen=True, array_like=True):
    """Whose socket this is, and what its object said of it.

    `object_id` is 64 hex digits, "" for a socket of no object; `attachment` as `holdfast.workers.values` encodes it; `accepted_ms`
    Unix time; `url` of the request that opened it, `protocol` the subprotocol agreed on, `ray` of the request that opened it. `format` is `encode`'s to write.
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
    format: int = 0

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
    return _ENCODER.encode(msgspec.structs.replace(binding, format=FORMAT))


def decode(blob: bytes) -> Binding:
    """What an edge kept; its `format` is 0, whichever it was. Raises BindingError."""
    try:
        binding = _DECODER.decode(blob)
        _ = binding.group
    except (msgspec.DecodeError, ValueError) as error:
        raise BindingError(f"{len(blob)} bytes are no binding of a socket: {error}") from error
    if not 0 <= binding.format <= FORMAT:
        raise BindingError(
            f"{len(blob)} bytes are no binding of a socket: format {binding.format}, expected 0 to {FORMAT}"
        )
    return msgspec.structs.replace(binding, format=0)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Binding)
