"""What a rule may ask about besides the request itself, found out only when it is asked."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.edge.zone import CompiledZone


class Facts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The zone that the rule is of, Unix time in seconds, and where clients are (None: there is no database)."""

    zone: CompiledZone
    now: float
    country_of: Callable[[str], str] | None
