"""Outside of an object all of it does nothing; inside, the object is asked."""

from collections.abc import Callable

from holdfast.workers.durable import current


class Activity:
    def __init__(self) -> None:
        self.held: list[str] = []
        self.emitted: list[Callable[[], None]] = []
        self.confirmations = 0

    def hold(self, reason: str, *, limit_s: float | None = None) -> Callable[[], None]:
        self.held.append(f"{reason} {limit_s}")
        return self.held.clear

    def emit(self, action: Callable[[], None]) -> None:
        self.emitted.append(action)

    async def confirmed(self) -> None:
        self.confirmations += 1


async def test_outside_of_an_object_nothing_waits_and_nothing_is_held() -> None:
    done: list[int] = []
    current.emit(lambda: done.append(1))
    assert done == [1]
    await current.confirmed()
    current.hold("a reason")()


async def test_inside_of_an_object_it_is_asked() -> None:
    activity = Activity()
    token = current.CURRENT.set(activity)  # type: ignore[arg-type]  # as much of one as is used here
    try:
        release = current.hold("a reason", limit_s=3.0)
        assert activity.held == ["a reason 3.0"]
        release()
        assert activity.held == []
        current.emit(lambda: None)
        assert len(activity.emitted) == 1
        await current.confirmed()
        assert activity.confirmations == 1
    finally:
        current.CURRENT.reset(token)
