"""What changes while rules run over one request: variables that rules write, what matched last, rules that are off.

Law 1: one request, one transaction: nothing outlives it, so collections such as IP begin empty.
Law 2: the names of what rules write are compared in small letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from holdfast.rules.context import NOWHERE, Place
from holdfast.rules.seclang.request_variables import Pairs, RequestVariables, as_bytes

# TX:0 to TX:9, what `capture` fills.
CAPTURE_KEYS: Final = tuple(b"%d" % number for number in range(10))
NO_SEVERITY: Final = 255
Excludes = Callable[[bytes], bool]


class Transaction:
    """The state of one request. `rule` are the fields of the rule that runs now (RULE:id …)."""

    __slots__ = (
        "collections",
        "geo",
        "highest_severity",
        "is_off",
        "matched_name",
        "matched_value",
        "matched_vars",
        "removed_rules",
        "removed_targets",
        "rule",
        "tx",
        "variables",
    )

    def __init__(self, variables: RequestVariables, tx: dict[bytes, bytes]) -> None:
        self.variables = variables
        self.tx = tx
        self.collections: dict[str, dict[bytes, bytes]] = {"TX": tx}
        self.matched_name = b""
        self.matched_value = b""
        self.matched_vars: Pairs = ()
        self.removed_rules: frozenset[int] = frozenset()
        # By rule: (collection, what is left out of it).
        self.removed_targets: dict[int, list[tuple[str, Excludes]]] = {}
        self.is_off = False
        self.highest_severity = NO_SEVERITY
        self.geo: Mapping[bytes, bytes] = {}
        self.rule: Mapping[bytes, bytes] = {}

    def writable(self, collection: str) -> dict[bytes, bytes]:
        """The collection that rules write, TX or another."""
        return self.collections.setdefault(collection, {})

    def look_up(self, address: bytes) -> bool:
        """Fill GEO with where `address` is. Only the client's own place is known."""
        place = self.variables.context.facts.place
        if place is NOWHERE or address != as_bytes(self.variables.context.request.client_ip):
            return False
        self.geo = _geo_of(place)
        return bool(self.geo)

    def engine_pairs(self, name: str) -> Pairs:
        """MATCHED_VAR and the other variables that the engine keeps, without those that have members."""
        match name:
            case "MATCHED_VAR":
                return ((b"", self.matched_value),)
            case "MATCHED_VAR_NAME":
                return ((b"", self.matched_name),)
            case "MATCHED_VARS":
                return self.matched_vars
            case "MATCHED_VARS_NAMES":
                return [(name, name) for name, _ in self.matched_vars]
            case "HIGHEST_SEVERITY":
                return ((b"", b"%d" % self.highest_severity),)
            case _:
                return tuple(self.engine_members(name).items())

    def engine_members(self, name: str) -> Mapping[bytes, bytes]:
        """GEO or RULE, by the members' names in small letters."""
        return self.geo if name == "GEO" else self.rule


def _geo_of(place: Place) -> dict[bytes, bytes]:
    known: list[tuple[bytes, str | None]] = [
        (b"country_code", place.country),
        (b"country_continent", place.continent),
        (b"region", place.region_code),
        (b"city", place.city),
        (b"postal_code", place.postal_code),
        (b"latitude", place.latitude),
        (b"longitude", place.longitude),
    ]
    return {name: as_bytes(value) for name, value in known if value}
