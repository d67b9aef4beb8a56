"""An edge that retires: `retirement` carried out on the running core.

Law 1: the data directory is let go before anything waits: its successor has it from then on.
Law 2: the supervisor hears at once what is kept, and then, every REPORT_INTERVAL_S, how much less it has become.
Law 3: whoever says `Stop` meanwhile, or goes, ends it: what is left gets the Close of an edge that stops.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from holdfast.app.edge_zones import Zones
from holdfast.app.retirement import Open, Retirement, Step
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Retire, Why, Word

if TYPE_CHECKING:
    from holdfast._native import Edge

# How often it is looked at what is open: asking costs some microseconds.
LOOK_INTERVAL_S = 0.1
REPORT_INTERVAL_S = 5.0

# What follows the word itself. RFC 6455 §7.4.1 registers 1012 (service restart): clients know that they may connect again.
_CODE = 1012
_REASONS: dict[Why, str] = {
    "release": "the edge is being replaced, connect again",
    "drain": "the edge is being taken out of service, connect again",
}


def retire(edge: Edge, zones: Zones, around: Surroundings, word: Retire) -> bool:
    """Keep what is open, as `word` says, until nothing is, or the time is over, or this process is told to stop. Whether
    nothing is."""
    zones.retire()
    # Where nobody takes over, nobody else holds the listening sockets: the kernel would reset who waits in them.
    edge.retire(accept_waiting=word.why == "drain")
    now = time.monotonic()
    retirement, reported, report_at = Retirement(word, now), -1, now
    while True:
        left, now = _left(edge), time.monotonic()
        if now >= report_at and left.count != reported:
            around.retiring(left.count)
            reported, report_at = left.count, now + REPORT_INTERVAL_S
        step = retirement.step(left, now)
        if step is Step.END:
            return not left.count
        if step is Step.CLOSE:
            _close(edge, retirement.word)
        if not _goes_on(retirement, around.told(limit_s=retirement.wait_s(now, most_s=LOOK_INTERVAL_S))):
            return False


def _goes_on(retirement: Retirement, word: Word | None) -> bool:
    if isinstance(word, Retire):
        retirement.told(word, time.monotonic())
    return word is None or isinstance(word, Retire)


def _left(edge: Edge) -> Open:
    figures = edge.statistics()
    return Open(tunnels=figures["tunnels_open"], connections=figures["connections_open"])


def _close(edge: Edge, word: Retire) -> None:
    edge.close_evenly(why=word.why, code=_CODE, reason=_REASONS[word.why], window_s=word.spread_s, order=word.order)
