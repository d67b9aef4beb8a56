"""What `close()` of a WebSocket takes: pure.

Source: the WebSocket standard as the original applies it to Workers (codes 1000 to 4999 but 1004, 1005, 1006 and 1015; RFC 6455 §7.4).
"""

from __future__ import annotations

from math import isfinite

from holdfast.workers.sdk.errors import DOMException, JsSyntaxError
from holdfast.workers.sdk.sending import well_formed

# RFC 6455 §5.5: a control frame carries 125 bytes, of which the code takes two.
MAX_REASON_BYTES = 123
_NEVER_SENT = frozenset({1004, 1005, 1006, 1015})


def checked(code: object, reason: object) -> tuple[int, str]:
    """(code, reason) to close with; code 0: a Close without one. Raises what `close()` raises."""
    text = "" if reason is None else well_formed(str(reason))
    if code is None:
        if text:
            raise DOMException(
                "If you specify a WebSocket close reason, you must also specify a code.", "InvalidAccessError"
            )
        return 0, ""
    number = int(code) if isinstance(code, (int, float)) and isfinite(code) else -1
    if not 1000 <= number <= 4999 or number in _NEVER_SENT:
        raise DOMException(f"Invalid WebSocket close code: {code!r}.", "InvalidAccessError")
    if (length := len(text.encode())) > MAX_REASON_BYTES:
        raise JsSyntaxError(
            f"WebSocket close reason must not be longer than {MAX_REASON_BYTES} bytes when UTF-8 encoded. This one has {length}."
        )
    return number, text
