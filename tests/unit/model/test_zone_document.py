"""`holdfast.model.zone_document`: what is published survives every way it takes."""

from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.zone_document import (
    KINDS,
    Kind,
    SnapshotDocument,
    StrictTransportSecurity,
    ZoneDocument,
    ZoneSettings,
)

SETTINGS = st.builds(
    ZoneSettings,
    websockets=st.sampled_from(["on", "off"]),
    ssl=st.sampled_from(["off", "flexible", "full", "strict"]),
    ciphers=st.lists(st.text(max_size=8), max_size=3).map(tuple),
    proxy_read_timeout=st.integers(1, 6000),
    security_header=st.builds(StrictTransportSecurity, enabled=st.booleans(), max_age=st.integers(0, 10**8)),
)
ZONES = st.builds(
    ZoneDocument, id=st.text(max_size=32), name=st.text(max_size=40), paused=st.booleans(), settings=SETTINGS
)


@given(st.lists(ZONES, max_size=4))
def test_a_snapshot_is_read_as_it_was_written(zones: list[ZoneDocument]) -> None:
    snapshot = SnapshotDocument(source="s", revision=1, zones=tuple(zones))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=SnapshotDocument) == snapshot


def test_every_kind_is_a_member_of_the_snapshot() -> None:
    assert SnapshotDocument.__struct_fields__ == ("source", "revision", *KINDS.values())
    assert set(get_args(Kind)) == set(KINDS)


def test_what_is_as_it_is_by_default_takes_no_bytes() -> None:
    assert msgspec.json.encode(ZoneDocument(id="1", name="a")) == b'{"id":"1","name":"a"}'


def test_members_that_are_not_known_yet_are_passed_over() -> None:
    newer = msgspec.msgpack.encode({"id": "1", "name": "a", "settings": {"websockets": "off", "novel": 1}, "new": [1]})
    document = msgspec.msgpack.decode(newer, type=ZoneDocument)
    assert (document.name, document.settings.websockets) == ("a", "off")
