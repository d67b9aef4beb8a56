"""What the handlers work with. Made once by control, and never changed.

Law: the API knows of edges only what stands here: that a change is to be published, and that connections can be closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from holdfast.model.moment import Moment
from holdfast.rules.managed_ruleset import ManagedRuleset
from holdfast.sealing import SealingKey
from holdfast.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What came of closing: `edges` edges said that they told `closed` WebSockets to close; `silent` ones live, and said
    nothing in time: what is open there may stay so."""

    closed: int
    edges: int
    silent: int


class Connections(Protocol):
    """The WebSockets that are open, on all edges."""

    async def close_zone(self, zone_id: str, *, code: int, reason: str) -> Closing:
        """Close every WebSocket of a zone. Returns within seconds, whatever edges do, and never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often the API may be asked. 0 is no limit."""

    requests_per_5_minutes: int = 1200
    requests_per_second_and_address: int = 200


async def _nobody(_: Collection[str]) -> None:
    """There is no edge to publish to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """What all handlers share.

    `on_change` publishes the zones with these ids (a zone that is gone included) and returns when edges have them, or
    soon after; it never raises. `on_account_change` does so with what accounts with these ids say for all of their zones, and
    `on_list_change` with lists, which may be long: it waits for seconds, where the others wait for a moment.
    `managed` gives the managed rulesets that can be deployed, by id, without waiting. `clock` is the time in microseconds.
    """

    database: Database
    key: SealingKey
    clock: Callable[[], Moment]
    on_change: Callable[[Collection[str]], Awaitable[None]]
    connections: Connections
    limits: Limits = Limits()
    on_account_change: Callable[[Collection[str]], Awaitable[None]] = _nobody
    on_list_change: Callable[[Collection[str]], Awaitable[None]] = _nobody
    managed: Callable[[], Mapping[str, ManagedRuleset]] = dict
