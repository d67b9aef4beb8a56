"""How values and errors are said, as twin.js says them."""

import inspect
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any


def shown(value: object) -> str:
    """A value as both languages show it."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bytes() | bytearray() | memoryview():
            return f"bytes {bytes(value).hex()}"
        case datetime():
            return f"date {round(value.timestamp() * 1000)}"
        case Mapping():
            return "{" + ", ".join(f"{key}: {shown(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


def told(error: BaseException) -> str:
    """An error: its name in JavaScript, and its message."""
    name = type(error).__name__ if isinstance(error, AttributeError) else getattr(error, "name", type(error).__name__)
    if name == "DataCloneError":  # what cannot be cloned is named otherwise in each language
        return name
    return f"{'Error' if name == 'Exception' else name}: {getattr(error, 'message', error)}"


class Lines(list[str]):
    """What a probe says."""

    async def tries(self, label: str, call: Callable[[], Any]) -> None:
        """Add what a call gives, or how it fails."""
        try:
            result = call()
            said = shown(await result if inspect.isawaitable(result) else result)
        except Exception as error:  # noqa: BLE001 (any error is what is compared)
            said = told(error)
        self.append(f"{label} -> {said}")
