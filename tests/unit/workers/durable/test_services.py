"""What objects are given: counters count."""

from typing import Any

from holdfast.workers.durable.disk import Disk
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.durable.services import ObjectClass, Services


def nothing(*_: Any, **__: Any) -> Any:
    """Stands for whatever is not used here."""


def test_what_happens_is_counted_by_its_name() -> None:
    services = Services(
        start=nothing,
        disk=Disk(1),
        open_file=nothing,
        make_storage=nothing,
        report=nothing,
        wall_ms=nothing,
    )
    for what in ("woken", "woken", "reset"):
        services.count(what)
    assert dict(services.statistics) == {"woken": 2, "reset": 1}


def test_two_classes_of_the_same_name_are_two() -> None:
    one, other = (ObjectClass("Room", "Room", "chat-Room", object, IdSpace("chat-Room")) for _ in range(2))
    assert one != other
    assert len({one, other}) == 2
