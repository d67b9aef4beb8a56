"""What one process writes beside a socket, another one reads, of whatever version."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel.binding import FORMAT, Binding, BindingError, decode, encode, group_of

ID = "00000000000000ff" + "0" * 48


@given(
    binding=st.builds(
        Binding,
        class_name=st.text(max_size=10),
        object_id=st.just(ID),
        object_name=st.none() | st.text(max_size=10),
        tags=st.lists(st.text(max_size=5), max_size=10).map(tuple),
        attachment=st.none() | st.binary(max_size=50),
        accepted_ms=st.integers(0, 2**60),
    )
)
def test_what_a_process_wrote_a_later_one_reads(binding: Binding) -> None:
    assert decode(encode(binding)) == binding


def test_fields_may_be_added_at_the_end() -> None:
    assert decode(msgspec.msgpack.encode(["Room", ID])) == Binding(class_name="Room", object_id=ID)
    assert decode(msgspec.msgpack.encode(["Room", ID, None, [], None, 1, "", "", "ray", 1, "later"])).accepted_ms == 1


def test_what_was_written_before_there_was_a_format_is_read() -> None:
    # Byte for byte as the version before wrote it; edges keep such ones over an upgrade.
    kept = bytes.fromhex("99a4526f6f6dd940") + ID.encode() + bytes.fromhex("c091a141c0cd03e8a0a0a172")
    assert decode(kept) == Binding(class_name="Room", object_id=ID, tags=("A",), accepted_ms=1000, ray="r")


def test_a_reader_of_before_there_was_a_format_reads_what_is_written_now() -> None:
    class Before(msgspec.Struct, array_like=True):
        class_name: str
        object_id: str
        object_name: str | None
        tags: tuple[str, ...]
        attachment: bytes | None
        accepted_ms: int
        url: str
        protocol: str
        ray: str

    written = encode(Binding(class_name="Room", object_id=ID, tags=("A",), accepted_ms=7, ray="r"))
    assert msgspec.msgpack.decode(written, type=Before) == Before("Room", ID, None, ("A",), None, 7, "", "", "r")


def test_the_format_is_one_byte_behind_the_nine_fields_and_one_of_later_is_refused() -> None:
    fields = msgspec.msgpack.decode(encode(Binding(class_name="Room", object_id=ID)))
    assert fields[9] == FORMAT == 1
    with pytest.raises(BindingError, match="no binding of a socket: format 2, expected 0 to 1"):
        decode(msgspec.msgpack.encode([*fields[:9], 2, "whatever that means"]))


@pytest.mark.parametrize("blob", [b"", b"\xc1", msgspec.msgpack.encode(["Room", "no digits at all"]), b"\x01"])
def test_what_is_no_binding_is_an_error(blob: bytes) -> None:
    with pytest.raises(BindingError, match="no binding"):
        decode(blob)


def test_the_group_is_the_beginning_of_the_id() -> None:
    assert group_of(ID) == Binding(object_id=ID).group == 255
    assert group_of("") == 0
