"""The form for what MessagePack alone cannot keep: bytes that nobody wrote."""

import msgspec
import pytest
from msgspec.msgpack import Ext

from holdfast.workers.values import DataCloneError, decode
from holdfast.workers.values_graph import decode_graph, encode_graph

MARK, INTEGER, TEXT, DATETIME, REFERENCE = 1, 2, 3, 4, 5
SET, MAP, TUPLE, ERROR = (Ext(MARK, bytes([mark])) for mark in (1, 2, 3, 4))


def reference(number: int) -> Ext:
    return Ext(REFERENCE, number.to_bytes(4, "little"))


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        [reference(0)],
        [reference(1), []],
        [1, 2],
        [1, [TUPLE]],
        [SET],
        [[1, SET]],
        [[Ext(MARK, b"\x09")]],
        [[Ext(MARK, b"")]],
        [[SET, []]],
        [[SET, reference(0)], []],
        [[MAP, 1]],
        [[MAP, [], 1]],
        [[ERROR]],
        [[ERROR, "ValueError"]],
        [[ERROR, 1, 2]],
        [Ext(INTEGER, b"12x")],
        [Ext(INTEGER, b"9" * 5000)],
        [Ext(TEXT, b"\xff")],
        [Ext(DATETIME, b"yesterday")],
        [Ext(DATETIME, "²".encode())],
        [Ext(9, b"")],
        [Ext(REFERENCE, b"\0")],
    ],
)
def test_a_payload_nobody_wrote_is_an_error(payload: object) -> None:
    with pytest.raises(DataCloneError, match="could not be read"):
        decode(b"\x02" + msgspec.msgpack.encode(payload))


def test_entries_may_point_at_each_other() -> None:
    found = decode(b"\x02" + msgspec.msgpack.encode([reference(0), [reference(1)], {"a": reference(0)}]))
    assert found[0]["a"] is found


def test_an_error_of_a_class_that_is_none_is_an_exception_with_its_name() -> None:
    for name in ("KeyboardInterrupt", "eval", "Nonesuch"):
        found = decode(b"\x02" + msgspec.msgpack.encode([[ERROR, name, "text"]]))
        assert (type(found), str(found)) == (Exception, f"{name}: text")


def test_an_error_whose_arguments_do_not_fit_keeps_its_text() -> None:
    found = decode(b"\x02" + msgspec.msgpack.encode([[ERROR, "UnicodeDecodeError", "text"]]))
    assert str(found) == "UnicodeDecodeError: text"


def test_the_form_is_that_of_its_description() -> None:
    shared = [1]
    payload = encode_graph([shared, shared, {1}])
    assert msgspec.msgpack.decode(payload) == [[reference(0), reference(0), [SET, 1]], [1]]
    assert decode_graph(memoryview(payload)) == [[1], [1], {1}]
