"""What was shown of a log, so that a stream which is opened again goes on where the one before it ended.

Law 1: a stream that is opened again is asked for as many of the last lines as may be asked for; of those, what was shown is not shown again,
and what is older than the last one shown is not shown at all.
Law 2: only the first KEPT lines of such a stream are looked at so: a clock that is set back hides no more of them.
"""

from __future__ import annotations

import json
from collections import Counter, deque

from holdfast.client.api.answer import JsonObject

# As many lines as the API gives of what was before.
KEPT = 200


class LogMemory:
    """The last lines that were shown."""

    def __init__(self) -> None:
        self._shown: deque[str] = deque(maxlen=KEPT)
        self._last_ms = 0
        # Of the stream that was opened again: what may come once more, how many lines are still to be looked at, and since when.
        self._again: Counter[str] = Counter()
        self._left, self._since_ms = 0, 0

    def opened_again(self) -> dict[str, str]:
        """The query of a stream that goes on."""
        self._again, self._left, self._since_ms = Counter(self._shown), KEPT, self._last_ms
        return {"lines": str(KEPT if self._shown else 0)}

    def is_new(self, line: JsonObject) -> bool:
        """Whether a line is to be shown; it is remembered then."""
        text = json.dumps(line, sort_keys=True)
        made = line.get("ts_ms")
        made_ms = made if isinstance(made, int) else self._last_ms
        if self._left:
            self._left -= 1
            if self._again[text] or made_ms < self._since_ms:
                self._again[text] -= 1
                return False
        self._shown.append(text)
        self._last_ms = max(self._last_ms, made_ms)
        return True
