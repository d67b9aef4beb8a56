"""What one process writes beside a socket, another one reads, of whatever version."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel.binding import Binding, BindingError, decode, encode, group_of

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
    assert decode(msgspec.msgpack.encode(["Room", ID, None, [], None, 1, "", "", "later"])).accepted_ms == 1


@pytest.mark.parametrize("blob", [b"", b"\xc1", msgspec.msgpack.encode(["Room", "no digits at all"]), b"\x01"])
def test_what_is_no_binding_is_an_error(blob: bytes) -> None:
    with pytest.raises(BindingError, match="no binding"):
        decode(blob)


def test_the_group_is_the_beginning_of_the_id() -> None:
    assert group_of(ID) == Binding(object_id=ID).group == 255
    assert group_of("") == 0
