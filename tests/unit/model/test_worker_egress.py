"""What edges and the processes of Workers tell each other in header fields."""

import base64
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_egress import (
    MAX_CHARS,
    BoundCall,
    Called,
    Egress,
    RequestContext,
    field_of,
    read_context,
    read_egress,
)

KEY = "0123456789ab"
CONTEXT = RequestContext(
    ray="230b030023ae2822-LOC",
    script=KEY,
    zone="a" * 32,
    host="chat.example.com",
    port=8443,
    client_ip="203.0.113.7",
    tls_version="TLSv1.3",
    depth=2,
    cf={"country": "PT", "asn": 1},
)


def test_a_context_comes_as_it_went() -> None:
    assert read_context(field_of(CONTEXT)) == CONTEXT
    assert set(field_of(CONTEXT)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_request_of_a_worker_says_what_it_answers() -> None:
    egress = Egress.of(CONTEXT, scheme="https", script=KEY, park=True)
    assert read_egress(field_of(egress)) == egress
    expected = (CONTEXT.zone, CONTEXT.host, CONTEXT.port, CONTEXT.ray)
    assert (egress.zone, egress.host, egress.port, egress.ray) == expected
    assert (egress.client_ip, egress.depth, egress.park) == ("203.0.113.7", 2, True)
    assert Egress.of(None, scheme="http", script=KEY) == Egress(scheme="http", script=KEY)


def test_a_call_says_by_which_binding_and_a_context_whom_it_is_for() -> None:
    call = BoundCall(binding="STORE", proof="p", object_id="0" * 64, object_name="a", is_rpc=True, cf={"colo": "LIS"})
    assert read_egress(field_of(Egress.of(CONTEXT, scheme="http", script=KEY, call=call))).call == call
    assert read_egress(field_of(Egress.of(None, scheme="http", script=KEY, call=call))).call == call
    called = Called(caller="chat", class_name="Shelf", object_id="0" * 64, object_name="a", is_rpc=True)
    context = msgspec.structs.replace(CONTEXT, called=called)
    assert read_context(field_of(context)) == context
    assert read_context(field_of(CONTEXT)).called is None


def test_the_longest_name_of_an_object_has_room_in_a_field() -> None:
    call = BoundCall(binding="B" * 255, proof="p" * 64, object_id="0" * 64, object_name="x" * 2_048)
    assert len(field_of(Egress.of(CONTEXT, scheme="https", script=KEY, call=call))) < MAX_CHARS


def test_what_is_not_known_here_is_passed_over() -> None:
    raw = msgspec.msgpack.encode({"scheme": "https", "script": KEY, "later": [1]})
    assert read_egress(base64.urlsafe_b64encode(raw).decode()) == Egress(scheme="https", script=KEY)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"scheme": "ftp", "script": KEY}, "Invalid enum value"),
        ({"scheme": "http"}, "missing required field `script`"),
        ({"scheme": "http", "script": "../../etc"}, "12 hexadecimal digits"),
        ({"scheme": "http", "script": KEY, "depth": "x"}, "Expected `int`"),
        ([], "Expected `object`"),
    ],
)
def test_what_is_no_egress_is_refused(value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_egress(base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).decode().rstrip("="))


@given(st.text(max_size=30) | st.just("A" * (MAX_CHARS + 1)))
def test_no_field_does_more_than_be_refused(text: str) -> None:
    for read in (read_context, read_egress):
        with contextlib.suppress(ValueError):
            assert read(text).script
