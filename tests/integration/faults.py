"""Connections that talk through an edge while something is done to them, and what each side and the record show of it.

Law 1: every message is numbered and checked at both ends, whatever happens: a fault may cut the end off, and nothing else.
Law 2: what is shown is compared in one shape: the Close that a side saw (code, first word of its reason), and the record's words.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.integration import records
from tests.integration.numbered_run import Clients, Origin, Verdict, verdict
from tests.integration.waiting import LIMIT_S, poll
from tests.integration.wire import Address
from tests.integration.zones_of_run import Zones, origin_ip

# (code, first word of the reason); None for a connection that ended without a Close.
Seen = tuple[int | None, str]
NO_CLOSE: Seen = (None, "")
# (closed_by, why) of a record.
Words = tuple[str, str]

COUNT = 6
# A side that leaves this unanswered is dead after four to five seconds: a busy machine keeps nobody for so long from the answer.
KEEPALIVE = {"websocket_keepalive_interval": 1, "websocket_keepalive_misses": 4}
DEAD_AFTER_S = 5.0
# How long an end may take that a limit of the edge brings about: a keepalive, and a busy machine.
END_LIMIT_S = 60.0


@dataclass(slots=True)
class Scene:
    """Clients and an origin that have talked, with all answered, and an edge between them."""

    zones: Zones
    zone_id: str
    host: str
    clients: Clients
    origin: Origin

    def ended(self, count: int = COUNT, *, limit_s: float = END_LIMIT_S) -> list[records.Closed]:
        """The records of so many connections of this zone, waiting for them."""
        run = self.zones.run

        def look() -> list[dict[str, Any]]:
            mine = [one for one in run.records(records.CLOSED_EVENT) if one["host"] == self.host]
            return mine if len(mine) >= count else []

        found = run.changes.until(look, what=f"{count} records of {self.host}", limit_s=limit_s)
        assert len(found) == count, found
        return [records.closed(one) for one in found]

    def clients_ended(self) -> None:
        """Wait until every client has seen the end."""
        told = self.clients.ask("closed", END_LIMIT_S, limit_s=END_LIMIT_S + LIMIT_S)
        assert told == {"open": 0}

    def origin_ended(self) -> None:
        """Wait until the origin has seen the end of every connection: a record may be written before it has read that far."""
        poll(lambda: self.verdict().seen("origin").total() == COUNT, what="the ends at the origin", limit_s=END_LIMIT_S)

    def stay_open(self, seconds: float) -> None:
        """Let so much time pass, in which no client may see an end."""
        assert self.clients.ask("closed", seconds)["open"] == COUNT

    def talk(self, *, each: int = 20, rate: float = 1_000) -> Verdict:
        """Have so many messages answered for each client, and whatever is under way then: nothing may be missing.

        The eleventh is split around a ping, the seventeenth is followed by one.
        """
        before = sum(one.taken for one in self.verdict().clients.values())
        self.clients.ask("load", rate, 0)
        while sum(one.taken for one in self.verdict().clients.values()) < before + each * COUNT:
            pass
        assert self.clients.ask("settle") == {"unanswered": 0}
        said = self.verdict()
        assert (said.faults, said.lost_at_the_end(), said.refused) == ([], {}, {})
        return said

    def verdict(self) -> Verdict:
        """What both ends say."""
        return verdict(self.clients, self.origin)


@contextmanager
def scene(
    zones: Zones,
    settings: Mapping[str, Any] | None = None,
    *,
    address: Address | None = None,
    under: Sequence[str] = (),
    origin: Origin | None = None,
    each: int = 20,
) -> Iterator[Scene]:
    """A zone of its own with these settings, and COUNT clients of it that have talked to its origin.

    `address` is where the clients go, if it is not the edge itself; `under` runs them; `origin` is one that serves already;
    `each` is how many messages of each have been answered before.
    """
    with ExitStack() as stack:
        origin = origin or stack.enter_context(Origin(origin_ip(), zones.run.plain[1]))
        zone_id, host = zones.add(origin.host, settings)
        clients = stack.enter_context(Clients(address or zones.run.plain, host=host, under=under))
        clients.open(COUNT)
        here = Scene(zones, zone_id, host, clients, origin)
        here.talk(each=each)
        yield here


def words(ended: Sequence[records.Closed]) -> Counter[Words]:
    """Who and why, of records."""
    return Counter((one.closed_by, one.why) for one in ended)
