"""An instance as its storage sees it: what it was told is written down, and a transaction runs at once."""

from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.store.objects.file import ObjectFile


class Host:
    """See above. `commit()` is what the instance does when the loop comes round."""

    def __init__(self, file: ObjectFile) -> None:
        self.file = file
        self.told: list[object] = []
        self.broken: BaseException | None = None

    def check(self) -> None:
        if self.broken is not None:
            raise self.broken

    def used(self) -> None:
        pass  # nobody else is there to be shut out

    def wrote(self, *, confirmed: bool = True) -> None:
        self.told.append("wrote" if confirmed else "unconfirmed")

    async def confirmed(self) -> None:
        self.file.commit()
        self.told.append("confirmed")

    async def exclusive(self, callback: Callable[[], Awaitable[Any]]) -> Any:
        return await callback()

    def break_(self, error: BaseException) -> None:
        self.broken = error
