"""Choose a form for an answer from the client's `Accept` fields (RFC 9110 §12.5.1).

Law 1: no input raises. What cannot be read is skipped, as if it had not been sent.
Law 2: the work is bounded, however long the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Ranges read of all the lines together. Browsers send up to 10; nobody waits on the policy thread for the rest.
MAX_RANGES = 32

# RFC 9110 §5.6.2
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_RANGE = re.compile(rf"({_NAME})/({_NAME})")
# RFC 9110 §12.4.2: at most three decimals.
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def preferred(accept: Iterable[str], offers: Sequence[str]) -> str:
    """The one of `offers` (media types, lower case, best first) that the field lines `accept` want most.

    Each offer has the weight of the most specific range that fits it. Of equal weights the offer named first in the
    field wins, as with Cloudflare; an offer named by a wildcard alone counts as named last. If nothing fits, or nothing
    was sent, it is the first offer: RFC 9110 lets a server disregard the field, and an error is worth being read.
    """
    ranges = _ranges(accept)
    ranked = [(*_rank(offer, ranges), -place) for place, offer in enumerate(offers)]
    best = max(range(len(offers)), key=lambda index: ranked[index])
    return offers[best] if ranked[best][0] > 0 else offers[0]


def _ranges(accept: Iterable[str]) -> list[tuple[str, str, float]]:
    """(type, subtype, weight) of each range that can be read, in order."""
    read: list[tuple[str, str, float]] = []
    for line in accept:
        for part in line.split(",", MAX_RANGES):
            if len(read) == MAX_RANGES:
                return read
            media_range, *parameters = (piece.strip(" \t") for piece in part.split(";"))
            match = _MEDIA_RANGE.fullmatch(media_range.lower())
            weight = _weight(parameters)
            if match is not None and weight is not None:
                read.append((match[1], match[2], weight))
    return read


def _weight(parameters: list[str]) -> float | None:
    """The `q` of a range; 1 if it has none, None if it cannot be read."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.lower() == "q":
            return float(value) if _WEIGHT.fullmatch(value) else None
    return 1.0


def _rank(offer: str, ranges: list[tuple[str, str, float]]) -> tuple[float, float]:
    """(weight, earliness) of `offer`: the bigger the better. Earliness is 0 or less."""
    kind, _, subtype = offer.partition("/")
    best = (0, 0.0, -float(MAX_RANGES))
    for place, (range_kind, range_subtype, weight) in enumerate(ranges):
        if (range_kind, range_subtype) == (kind, subtype):
            candidate = (3, weight, -float(place))
        elif (range_kind, range_subtype) == (kind, "*"):
            candidate = (2, weight, -float(MAX_RANGES))
        elif (range_kind, range_subtype) == ("*", "*"):
            candidate = (1, weight, -float(MAX_RANGES))
        else:
            continue
        if candidate[0] > best[0]:
            best = candidate
    return best[1], best[2]
