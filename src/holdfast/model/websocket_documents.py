"""The settings of WebSockets that are more than a word or a number, as control publishes them.

Law: fields are added with a default and never change their meaning, as in all documents (`model/zone_document.py`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

# Which way a message goes that a rule looks at.
Direction = Literal["to_origin", "to_client", "both"]


class DirectionRates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What may pass one way in a second, on one connection; 0 is no limit."""

    messages_per_second: int = 0
    bytes_per_second: int = 0


class RateLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What may pass in a second each way, and what becomes of a connection on which more comes: it waits, or is closed."""

    to_origin: DirectionRates = DirectionRates()
    to_client: DirectionRates = DirectionRates()
    action: Literal["throttle", "close"] = "throttle"


class MessageRuleDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One rule on text messages. `id` is 32 hexadecimal digits.

    With the type `text` it is about messages that match `pattern`, with `json_schema` about those that are no JSON of
    `schema` (JSON text, without white space).
    """

    id: str
    description: str = ""
    enabled: bool = True
    direction: Direction = "to_origin"
    type: Literal["text", "json_schema"] = "text"
    pattern: str = ""
    schema: str = ""
    action: Literal["close", "drop", "log"] = "close"
