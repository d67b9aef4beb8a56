"""`holdfast.api.json_body`: what passes, every database can keep."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.faults import ApiFault
from holdfast.api.json_body import MALFORMED_JSON, MAX_BRACKETS, MAX_DEPTH, check_json
from holdfast.model.rule_list import MAX_ITEMS

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=4)
    ),
)


@given(JSON)
def test_every_honest_value_passes(value: Any) -> None:
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, ensure_ascii=False).encode())


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_fault(body: bytes) -> None:
    try:
        check_json(body)
    except ApiFault as fault:
        assert fault.status == 400  # noqa: PT017  only some raise
    else:
        assert json.loads(body) is not NotImplemented


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"a"', None),
        (b'{"a":1}x', None),
        (b"[1,]", None),
        (b"NaN", None),
        (b"[Infinity]", None),
        (b"1e999", None),
        (b"1" * 5000, None),
        (b'"\xff"', None),
        (b'"\\ud800"', None),
        (b'"\xed\xa0\x80"', None),
        (b"\xef\xbb\xbf{}", None),
        (b"[" * 100_000 + b"]" * 100_000, None),
        (b"[" + b"[]," * MAX_BRACKETS + b"1]", None),
        (b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), None),
        (b'{"a":{"b":["x\\u0000"]}}', "/a/b/0"),
        (b'{"a/b":"\\u0000"}', "/a~1b"),
        (b'{"\\u0000":1}', None),
        (b'{"a":{"\\u0000":1}}', "/a"),
        (b'{"' + b"a" * 600 + b'":"\\u0000"}', None),
        (b'{"x":"]]]]","a":' + b'{"b":[' * 40 + b"]}" * 40 + b"}", None),
        (b'{"a":9223372036854775808}', "/a"),
        (b'{"a":[-9223372036854775809]}', "/a/0"),
    ],
)
def test_what_no_database_keeps_is_refused(body: bytes, pointer: str | None) -> None:
    with pytest.raises(ApiFault) as raised:
        check_json(body)
    (complaint,) = raised.value.complaints
    assert (raised.value.status, complaint.code, complaint.pointer) == (400, MALFORMED_JSON, pointer)
    assert complaint.message.startswith("Malformed JSON in request body: ")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'"\\\\u0000"',
        b"9223372036854775807",
        b"[" + b",".join([b'{"a":[{}]}'] * 200) + b"]",
        b'["' + b'[\\\\\\"{' * 100 + b'"]',
        b'{"a":1,"a":2}',
        b'"\\ud83d\\ude00"',
    ],
)
def test_what_only_looks_bad_passes(body: bytes) -> None:
    check_json(body)


def test_looking_takes_no_memory_for_where_everything_is() -> None:
    # A long key with many members: their pointers together would be a gigabyte.
    body = b'{"1234567890123456789' + b"a" * 20_000 + b'":[' + b",".join([b"1"] * 50_000) + b"]}"
    tracemalloc.start()
    try:
        check_json(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_the_longest_list_of_host_names_passes() -> None:
    item = b'{"hostname":{"url_hostname":"a.test"}}'
    check_json(b"[" + b",".join([item] * MAX_ITEMS) + b"]")
