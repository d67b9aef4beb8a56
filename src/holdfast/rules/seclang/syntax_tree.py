"""Rules as they are written in SecLang, typed: what the reader makes, and everything else starts from.

Law 1: nothing here is a text that must be parsed again, but for macros (`%{tx.0}`), which only a request can expand.
Law 2: names are canonical: variables in capitals, operators, actions and transformations as `vocabulary` spells them.
Law 3: rules stand in the order in which they are tried; what was removed or changed by another directive is so here.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.rules.seclang.errors import Position


@dataclass(frozen=True, slots=True)
class Selector:
    """Which members of a collection are meant: the one of this name (in any case), or those that match a pattern."""

    text: str
    is_pattern: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What a rule looks at: a variable or a collection, some of it (`selector`), all but some of it (`is_excluded`), or how
    many there are (`is_count`)."""

    collection: str
    selector: Selector | None = None
    is_count: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """What is asked of each value. `phrases` are the lines of the file that a `…FromFile` operator names."""

    name: str
    argument: str = ""
    is_negated: bool = False
    phrases: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One action, with what stands after its colon."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One `SecRule` of a chain, or a `SecAction` (no operator: it always holds). `actions` are those that have an effect."""

    position: Position
    targets: tuple[Target, ...]
    operator: Operator | None
    actions: tuple[Action, ...] = ()
    transformations: tuple[str, ...] = ()
    is_capturing: bool = False
    is_multi_match: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with all links of its chain. `severity` is syslog's number, None if it has none; `disruption` is "pass", "block",
    "deny", "drop" or "allow" (with what stands after its colon); `skip_after` a marker's name; `skip` how many rules."""

    id: int
    phase: int
    links: tuple[Link, ...]
    message: str = ""
    log_data: str = ""
    severity: int | None = None
    tags: tuple[str, ...] = ()
    is_logged: bool = True
    disruption: Action = Action("pass")
    skip: int = 0
    skip_after: str = ""

    @property
    def position(self) -> Position:
        """Where the rule begins."""
        return self.links[0].position


@dataclass(frozen=True, slots=True)
class Marker:
    """A place to which rules skip."""

    name: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All that was read: rules and markers in order, and what the rules call themselves (`SecComponentSignature`)."""

    items: tuple[Rule | Marker, ...]
    signature: str = ""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules without the markers."""
        return tuple(item for item in self.items if isinstance(item, Rule))
