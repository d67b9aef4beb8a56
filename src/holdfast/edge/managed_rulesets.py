"""The managed rulesets that rules may execute, by id: those that were loaded, and the one that comes with the edge.

Law: what comes with the edge is read by the first who asks for a ruleset that was not loaded, and not before: an edge without
rules that execute any pays nothing for it. Whoever publishes rules asks first (`firewall.deployments.prepare`), so that no
request waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.rules.managed_ruleset import ManagedRuleset


class ManagedRulesets(Mapping[str, "ManagedRuleset"]):
    """`loaded` by id, and the Holdfast Managed Ruleset."""

    __slots__ = ("_loaded",)

    def __init__(self, loaded: Mapping[str, ManagedRuleset]) -> None:
        self._loaded = dict(loaded)

    @property
    def loaded(self) -> Mapping[str, ManagedRuleset]:
        """Those that were loaded."""
        return MappingProxyType(self._loaded)

    def __getitem__(self, ruleset_id: str) -> ManagedRuleset:
        found = self._loaded.get(ruleset_id)
        return found if found is not None else always_there()[ruleset_id]

    def __iter__(self) -> Iterator[str]:
        return iter({**always_there(), **self._loaded})

    def __len__(self) -> int:
        return len({**always_there(), **self._loaded})


def always_there() -> Mapping[str, ManagedRuleset]:
    """The rulesets that come with the edge, by id. The first call takes some milliseconds."""
    from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset  # noqa: PLC0415  the law

    return {HOLDFAST_RULESET_ID: holdfast_ruleset()}


def made_ready(pause: Callable[[], None]) -> Iterator[None]:
    """Make ready what comes with the edge, step by step, before a rule executes it. `pause` is called within steps."""
    from holdfast.rules.managed import made_ready as holdfast_made_ready  # noqa: PLC0415  the law

    yield from holdfast_made_ready(pause)
