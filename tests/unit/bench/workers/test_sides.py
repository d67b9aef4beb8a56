"""What the sides print when they serve."""

import json

import pytest

from bench.workers.cases import OURS, PEER
from bench.workers.sides import PROJECT, port_printed


@pytest.mark.parametrize(
    ("side", "printed", "port"),
    [
        (OURS, "", 0),
        (OURS, "warning: none\nready: ws://127.0.0.1:40047 -> Worker twin\n", 40047),
        (OURS, "ready: wss://127.0.0.1:1 -> Worker twin\n", 0),
        (PEER, "", 0),
        (PEER, '{"event":"listen-inspector","port":7}\n', 0),
        (PEER, '{"event":"listen","socket":"http","po', 0),
        (PEER, '{"event":"listen","socket":"http","port":36753}\n', 36753),
    ],
)
def test_the_port_is_read_from_what_is_printed(side: str, printed: str, port: int) -> None:
    assert port_printed(side, printed) == port


def test_both_twins_have_the_classes_that_are_measured() -> None:
    configuration = json.loads((PROJECT / "wrangler.jsonc").read_text(encoding="utf-8"))
    ours = {one["class_name"] for one in configuration["durable_objects"]["bindings"]}
    twin = (PROJECT / "twin.js").read_text(encoding="utf-8")
    assert ours == {"Echo", "Crowd", "Loop"}
    assert {name for name in ours if f"export class {name} extends Room" in twin} == {"Echo", "Crowd"}
