"""A message to many sockets: one record, one entry, and no socket that keeps the others from it."""

from types import SimpleNamespace
from typing import Any

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.durable.broadcasts import Broadcast
from tests.unit.workers.durable.stage import Channels, Session


class Outbox:
    def __init__(self) -> None:
        self.added: list[Any] = []

    def add(self, *what: Any, **how: Any) -> int:
        self.added.append((*what, how))
        return 41


def test_it_is_one_record_and_one_entry_under_one_number() -> None:
    channels, outbox, heard = Channels(), Outbox(), list[str]()
    first, second = Session(), Session()
    here = SimpleNamespace(session=None, send=heard.append)
    sockets = [SimpleNamespace(session=first), here, SimpleNamespace(session=second)]
    broadcast = Broadcast(channels, sockets, "hello", drop=True, max_backlog_bytes=9)
    broadcast.note(outbox)  # type: ignore[arg-type]  # as much of one as is used
    broadcast()
    assert outbox.added == [(ToEdge.MANY, [first.sid, second.sid], "hello", {"drop": True, "max_backlog_bytes": 9})]
    assert (channels.many, channels.numbers) == ([([first, second], "hello", True, 9)], [41])
    assert heard == ["hello"]


def test_what_nobody_elsewhere_hears_is_not_written_down() -> None:
    outbox = Outbox()
    here = SimpleNamespace(session=None, send=lambda _: None)
    Broadcast(Channels(), [here], "hello", drop=False, max_backlog_bytes=0).note(outbox)  # type: ignore[arg-type]  # as above
    assert outbox.added == []
