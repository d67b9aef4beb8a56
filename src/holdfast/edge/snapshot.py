"""All that `decide` knows, in one immutable value.

Law 1: a snapshot never changes. News is a new snapshot, published as a whole (`policy.Policy`).
Law 2: whatever can fail, fails when a zone is compiled (`compile_zone`), and not while a request waits.
Law 3: the news of one zone costs a copy of two dictionaries of pointers, however many zones there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from holdfast.edge.features import features_of
from holdfast.edge.headers import loop_member
from holdfast.edge.managed_rulesets import ManagedRulesets
from holdfast.edge.ports import Ports
from holdfast.edge.zone import CompiledZone, Target
from holdfast.model.hostname import MAX_CHARS
from holdfast.model.origin_url import OriginUrl
from holdfast.model.zone_document import CATCH_ALL, ZoneSettings

if TYPE_CHECKING:
    from holdfast.edge.firewall.values import CompiledAccount
    from holdfast.edge.rule_sources import CompiledList
    from holdfast.edge.worker_processes import Processes
    from holdfast.rules.lists import RuleList
    from holdfast.rules.managed_ruleset import ManagedRuleset

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

# The catch-all zone of `holdfast up`, which no database has. Records name only zones that somebody made.
CATCH_ALL_ID = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`zones` by name (lower case), `names` by the zones' ids, and this instance's member of `CDN-Loop`.

    `ports` are those the edge listens on: redirects name them. `is_published` is false before anybody has said which zones
    there are: then that a name is in none of them means nothing. `accounts` are what accounts say for all of their zones, by
    id, `lists` what their rules name, by id and name, and `managed` the managed rulesets, by id:
    none where nothing is published. `processes` are those of Workers, None for who only looks.
    """

    zones: MappingProxyType[str, CompiledZone]
    names: MappingProxyType[str, str]
    loop_member: str
    ports: Ports = field(default_factory=Ports)
    is_published: bool = True
    accounts: Mapping[str, CompiledAccount] = field(default_factory=lambda: _NOTHING)
    lists: Mapping[str, Mapping[str, RuleList]] = field(default_factory=lambda: _NOTHING)
    managed: Mapping[str, ManagedRuleset] = field(default_factory=lambda: _NOTHING)
    processes: Processes | None = None

    def zone_of(self, host: str) -> CompiledZone | None:
        """The zone that answers for `host`: the longest name that is `host` or ends it, else the catch-all, else none."""
        return self.own_zone_of(host) or self.zones.get(CATCH_ALL)

    def own_zone_of(self, host: str) -> CompiledZone | None:
        """The same without the catch-all."""
        # A name cannot be longer (RFC 1035 §2.3.4): this bounds the walk.
        suffix = host if len(host) <= MAX_CHARS else ""
        while suffix:
            zone = self.zones.get(suffix)
            if zone is not None:
                return zone
            suffix = suffix.partition(".")[2]
        return None

    def zone(self, zone_id: str) -> CompiledZone | None:
        """The zone with this id."""
        name = self.names.get(zone_id)
        return None if name is None else self.zones[name]

    def lists_of(self, account_id: str) -> Mapping[str, RuleList]:
        """The lists that rules of this account name, by name."""
        return self.lists.get(account_id, _NOTHING)

    def with_sources(
        self,
        *,
        accounts: Mapping[str, CompiledAccount],
        lists: Iterable[CompiledList],
        managed: Mapping[str, ManagedRuleset],
    ) -> Snapshot:
        """This snapshot with these in the place of all that rules draw on besides their zone."""
        by_account: dict[str, dict[str, RuleList]] = {}
        for one in lists:
            by_account.setdefault(one.account_id, {})[one.name] = one.items
        return replace(
            self,
            accounts=MappingProxyType(dict(accounts)),
            lists=MappingProxyType({ident: MappingProxyType(named) for ident, named in by_account.items()}),
            managed=ManagedRulesets(managed),
        )

    def with_changes(self, zones: Iterable[CompiledZone] = (), removed: Iterable[str] = ()) -> Snapshot:
        """This snapshot without the zones of the ids `removed`, and with `zones` added or in the place of their id's.

        It is published, also where nothing is added: that there are no zones is news as well.
        """
        by_name, names = self.zones.copy(), self.names.copy()
        for zone_id in removed:
            _remove(zone_id, by_name, names)
        for zone in zones:
            _remove(zone.id, by_name, names)
            before = by_name.get(zone.name)
            if before is not None:
                names.pop(before.id, None)
            by_name[zone.name] = zone
            names[zone.id] = zone.name
        return replace(self, zones=MappingProxyType(by_name), names=MappingProxyType(names), is_published=True)


def empty_snapshot(
    *,
    instance: str,
    ports: Ports | None = None,
    is_published: bool = True,
    processes: Processes | None = None,
) -> Snapshot:
    """No zones, because there are none, or because nothing `is_published` yet.

    `instance` names this edge in `CDN-Loop`; it must differ between edges and be the same in all threads of one.
    """
    return Snapshot(
        zones=MappingProxyType({}),
        names=MappingProxyType({}),
        loop_member=loop_member(instance),
        ports=ports or Ports(),
        is_published=is_published,
        processes=processes,
    )


def compile_snapshot(
    origin_url: OriginUrl,
    *,
    instance: str,
    verify_origin: bool = True,
    origin_ca_pem: bytes | None = None,
    ports: Ports | None = None,
) -> Snapshot:
    """One catch-all zone in front of `origin_url`: what `holdfast up` serves.

    `instance` names this edge in `CDN-Loop`; it must differ between edges and be the same in all threads of one.
    Raises ValueError, with a sentence, where the core cannot use the origin (say, no certificate in `origin_ca_pem`).
    """
    # Loaded here and not with this module: the values, and all phases, do without the core.
    from holdfast._native import Origin  # noqa: PLC0415

    origin = Origin(
        label=str(origin_url),
        scheme=origin_url.scheme,
        host=origin_url.host,
        port=origin_url.port,
        unix_path=origin_url.unix_path,
        base_path=origin_url.base_path,
        verify=verify_origin,
        ca_pem=origin_ca_pem,
    )
    target = Target(name=CATCH_ALL, ready=origin)
    return empty_snapshot(instance=instance, ports=ports).with_changes([catch_all_of(target)])


def catch_all_of(target: Target) -> CompiledZone:
    """The zone that answers for every host name with one target, and changes nothing of what passes."""
    # The answers of the one origin that there is are the operator's own, errors too.
    settings = ZoneSettings(origin_error_page_pass_thru="on")  # noqa: S106  "pass" is a verb here
    return CompiledZone(
        id=CATCH_ALL_ID,
        name=CATCH_ALL,
        account_id="",
        features=features_of(settings, paused=False),
        targets={CATCH_ALL: target},
        fallback=target,
    )


def _remove(zone_id: str, by_name: dict[str, CompiledZone], names: dict[str, str]) -> None:
    name = names.pop(zone_id, None)
    if name is not None:
        del by_name[name]
