"""The Worker of the command line is a value that children are given as JSON."""

import msgspec

from holdfast.model.local_worker import LocalWorker


def test_it_is_read_as_it_was_written() -> None:
    worker = LocalWorker(key="0123456789ab", name="chat", version="v1")
    assert msgspec.json.decode(msgspec.json.encode(worker), type=LocalWorker) == worker
