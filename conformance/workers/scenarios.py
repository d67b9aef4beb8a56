"""The scenarios by name: each drives one server and says what it saw, one line for each thing."""

from collections.abc import Sequence
from functools import partial

from conformance.workers import (
    scenarios_closing,
    scenarios_failing,
    scenarios_life,
    scenarios_messages,
    scenarios_neighbours,
    scenarios_outgoing,
)
from conformance.workers.conversation import Address
from conformance.workers.side import Scenario, Side

# Probes of the twins that need no client, and where they run.
OBJECT_PROBES = (
    *("tags", "accepting", "pair", "closing", "attachments", "automatic"),
    *("values", "transactions", "sql", "alarms", "blocking"),
    *("more values", "belonging", "within a Worker", "listeners", "hibernatable pair"),
    *("more transactions", "sending", "accepting more"),
)
WORKER_PROBES = (
    *("ids", "calls", "gates", "resets", "responses", "fetches", "more calls"),
    *("services", "functions", "errors", "shelves", "circles", "a socket of a neighbour"),
)


def _probe(name: str, where: str, side: Side) -> list[str]:
    return side.probe(name, where=where)


SCENARIOS: dict[str, Scenario] = {
    **scenarios_messages.SCENARIOS,
    **scenarios_closing.SCENARIOS,
    **scenarios_life.SCENARIOS,
    **scenarios_outgoing.SCENARIOS,
    **scenarios_neighbours.SCENARIOS,
    **scenarios_failing.SCENARIOS,
    **{f"probe {name}": partial(_probe, name, "probe") for name in OBJECT_PROBES},
    **{f"probe {name}": partial(_probe, name, "worker") for name in WORKER_PROBES},
}
# They wait until an object sleeps, or for long.
SLOW = ("asleep", "doomed", "kept awake", "remembered", "woken", "last words", "retried alarm")


def transcript(address: Address, names: Sequence[str], *, patience: float = 1.0) -> dict[str, list[str]]:
    """What each of these scenarios says of this server. `patience`: how many times longer than alone on a machine it is waited for what may
    not come."""

    def side(name: str) -> Side:
        return Side(address, name.replace(" ", "-").replace(",", ""), patience=patience)

    return {name: SCENARIOS[name](side(name)) for name in names}
