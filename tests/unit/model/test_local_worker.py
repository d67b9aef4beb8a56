"""The Worker of the command line is a value that children are given as JSON."""

import msgspec

from holdfast.model.local_worker import LocalWorker


def test_it_is_read_as_it_was_written() -> None:
    worker = LocalWorker(key="0123456789ab", name="chat", version="v1")
    assert msgspec.json.decode(msgspec.json.encode(worker), type=LocalWorker) == worker


def test_the_one_that_answers_clients_is_the_last_to_be_served() -> None:
    beside = LocalWorker(key="1" * 12, name="store", version="v2")
    worker = LocalWorker(key="0123456789ab", name="chat", version="v1", beside=(beside,))
    assert worker.all == (beside, worker)
    assert beside.all == (beside,)
    assert msgspec.json.decode(msgspec.json.encode(worker), type=LocalWorker) == worker
