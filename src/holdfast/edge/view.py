"""What a phase sees besides the request: the snapshot, what the host name leads to in it, and the moment.

Law: a view is made once for a request and never changes; what a phase finds out, it returns. The one exception is `notes`,
which collects what rules found out, for the phases after them and for the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.decision import Decision
from holdfast.edge.features import features_of
from holdfast.edge.firewall.notes import Notes
from holdfast.edge.firewall.values import Firewall
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.zone import CompiledZone, Target
from holdfast.model.request import Request
from holdfast.model.zone_document import ZoneSettings
from holdfast.rules.context import NOWHERE, EvaluationContext, Place
from holdfast.rules.meter import begin_request

if TYPE_CHECKING:
    from holdfast.edge.firewall.rate_limit import Counters
    from holdfast.rules.lists import RuleList
    from holdfast.rules.managed_ruleset import ManagedRuleset
    from holdfast.rules.url_normalization import UrlForm

# Where an address is, as far as it is known. Never raises, never waits.
PlaceOf = Callable[[str], Place]

# What stands in a view where there is no such thing, so that no phase but `find_zone` has to ask.
NO_ZONE = CompiledZone(id="", name="", account_id="", features=features_of(ZoneSettings(), paused=True), targets={})
NO_TARGET = Target(name="", is_proxied=False)


class RequestFacts(msgspec.Struct, gc=False):
    """What rules may know beside a request (`rules.context.Facts`), each found when the first rule asks for it.

    It does not refer to the view, which leads to it.
    """

    zone: CompiledZone
    snapshot: Snapshot
    now: float
    client_ip: str
    place_of: PlaceOf | None = None
    found_place: Place | None = None

    @property
    def zone_name(self) -> str:
        """The zone's name."""
        return self.zone.name

    @property
    def zone_plan(self) -> str:
        """The zone's plan as rules name it."""
        return self.zone.plan

    @property
    def now_ms(self) -> int:
        """Unix milliseconds."""
        return int(self.now * 1000)

    @property
    def place(self) -> Place:
        """Where the client is; looked up once."""
        if self.found_place is None:
            self.found_place = NOWHERE if self.place_of is None else self.place_of(self.client_ip)
        return self.found_place

    @property
    def lists(self) -> Mapping[str, RuleList]:
        """What rules of the zone's account name."""
        return self.snapshot.lists_of(self.zone.account_id)

    @property
    def url_form(self) -> UrlForm:
        """How the zone has paths normalised before rules see them."""
        return self.zone.features.url_form

    # No edge knows these.

    @property
    def server_ip(self) -> None:
        """The address that the client connected to."""
        return

    @property
    def random_seed(self) -> None:
        """Bytes that are new for each request."""
        return

    @property
    def upstream_zone(self) -> str:
        """The zone of the Worker that makes the request."""
        return ""


class View(msgspec.Struct, frozen=True, gc=False):
    """`zone` and `target` are what the request's host leads to, or NO_ZONE and NO_TARGET.

    `now` is Unix time in seconds. `place_of` is None where the edge has no database of addresses, `counters` where nothing
    is counted. `depth` counts the Workers that led here by requests of their own. `firewalls` are those of the zone's account and of the zone, in the order in which they are asked; () where
    neither says anything, and for a paused zone.
    """

    snapshot: Snapshot
    zone: CompiledZone
    target: Target
    now: float
    notes: Notes
    firewalls: tuple[Firewall, ...] = ()
    place_of: PlaceOf | None = None
    counters: Counters | None = None
    depth: int = 0

    @property
    def managed(self) -> Mapping[str, ManagedRuleset]:
        """The managed rulesets that are loaded, by id."""
        return self.snapshot.managed

    def context(self, request: Request) -> EvaluationContext:
        """What every expression about `request` is evaluated against: made once, so that what one computed the others use.

        With it begins what the rules of this request may cost together.
        """
        context = self.notes.context
        if context is None:
            begin_request()
            context = self.notes.context = EvaluationContext(
                request, RequestFacts(self.zone, self.snapshot, self.now, request.client_ip, self.place_of)
            )
        return context

    def place(self, request: Request) -> Place:
        """Where the client is, as far as it is known."""
        return self.context(request).facts.place


Phase = Callable[[Request, View], Decision | None]


def view_of(
    request: Request,
    snapshot: Snapshot,
    *,
    now: float,
    place_of: PlaceOf | None = None,
    counters: Counters | None = None,
    depth: int = 0,
) -> View:
    """What is known when `request` has come."""
    zone = snapshot.zone_of(request.host) or NO_ZONE
    firewalls = zone.firewalls
    if snapshot.accounts and not zone.is_paused:
        account = snapshot.accounts.get(zone.account_id)
        if account is not None and account.firewall is not None:
            firewalls = (account.firewall, *firewalls)
    target = zone.target_of(request.host) or NO_TARGET
    return View(snapshot, zone, target, now, Notes(), firewalls, place_of, counters, depth)
