"""What a rate counter answers: a value that says whether one request is beyond its limit, and how long to stay away."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """One answer of a counter.

    `retry_after_s` is 0 for what is not limited, else whole seconds, at least 1: who comes back after them and had the key for
    itself is let through. `count` is the estimate for the window that ends now, this request included if it was counted.
    """

    is_limited: bool
    retry_after_s: int
    count: int
