"""IP access rules: whether a client is let pass, refused, or asked no more, by where it comes from.

Law 1: of all rules that fit a client, of its zone and its account alike, the most special one counts: an address, then a
network (the longest prefix), then an autonomous system, then a country.
Law 2: of several that are equally special, one that lets pass wins, then one that blocks, then a challenge (which blocks).
Law 3: asking costs a look-up for the address, one for each prefix length that is in use, and two more, however many rules
there are.

Source: Cloudflare, "IP Access rules". An address, or a country, that nothing says anything of is no reason to refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType
from typing import TypeVar

import msgspec

from holdfast.edge.firewall.document_place import Place
from holdfast.model.rule_documents import AccessRuleDocument
from holdfast.rules.value_types import Address

ALLOW = "whitelist"
# In the order in which they win.
_MODES = (ALLOW, "block", "challenge", "js_challenge", "managed_challenge")

# How special each target is; of networks the length of the prefix is added, 128 at most.
_COUNTRY, _ASN, _NETWORK, _ADDRESS = 1, 2, 3, 200

_BITS = {4: 32, 6: 128}
_MAX_ASN = 2**32 - 1

_Key = TypeVar("_Key")


class AccessRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One rule. `mode` is as in the API; `source` is what events call its target; `code` the error that a client is told."""

    id: str
    mode: str
    source: str
    code: int
    rank: int
    value: str = ""
    notes: str = ""

    @property
    def precedence(self) -> tuple[int, int]:
        """The bigger the better."""
        return self.rank, len(_MODES) - _MODES.index(self.mode)


class AccessRules(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The rules of one owner by what they are about. `networks` are by family and prefix length, longest first."""

    addresses: Mapping[Address, AccessRule] = {}
    networks: tuple[tuple[int, int, int, Mapping[int, AccessRule]], ...] = ()
    asns: Mapping[int, AccessRule] = {}
    countries: Mapping[str, AccessRule] = {}

    @property
    def asks_place(self) -> bool:
        """Whether it matters where an address is."""
        return bool(self.asns or self.countries)

    def of_address(self, address: Address) -> AccessRule | None:
        """The most special rule for an address, by itself."""
        rule = self.addresses.get(address)
        if rule is not None:
            return rule
        family, number = address
        for wanted, _, shift, rules in self.networks:
            if wanted == family and (rule := rules.get(number >> shift)) is not None:
                return rule
        return None

    def of_place(self, asn: int | None, country: str | None) -> AccessRule | None:
        """The most special rule for where an address is."""
        rule = self.asns.get(asn) if asn is not None else None
        if rule is None and country is not None:
            rule = self.countries.get(country)
        return rule


def access_rules_of(place: Place, documents: Iterable[AccessRuleDocument]) -> AccessRules | None:
    """The rules of one owner; None where there are none. Raises CompileError."""
    addresses: dict[Address, AccessRule] = {}
    networks: dict[tuple[int, int], dict[int, AccessRule]] = {}
    asns: dict[int, AccessRule] = {}
    countries: dict[str, AccessRule] = {}
    for document in documents:
        where = place.below(f"access_rules[{document.id}]")
        if document.mode not in _MODES:
            raise where.below("mode").wrong(document.mode, " or ".join(_MODES))
        if document.target == "asn":
            _put(asns, _asn(document, where), _rule(document, "asn", 1005, _ASN))
        elif document.target == "country":
            _put(countries, _country(document, where), _rule(document, "country", 1009, _COUNTRY))
        else:
            network = _network(document, where)
            family, length = network.version, network.prefixlen
            number, bits = int(network.network_address), _BITS[network.version]
            if length == bits:
                source = "ipRange" if document.target == "ip_range" else "ip"
                _put(addresses, (family, number), _rule(document, source, 1006, _ADDRESS))
            else:
                rules = networks.setdefault((family, length), {})
                _put(rules, number >> (bits - length), _rule(document, "ipRange", 1006, _NETWORK + length))
    if not (addresses or networks or asns or countries):
        return None
    return AccessRules(
        addresses=MappingProxyType(addresses),
        networks=tuple(
            (family, length, _BITS[family] - length, MappingProxyType(networks[family, length]))
            for family, length in sorted(networks, reverse=True)
        ),
        asns=MappingProxyType(asns),
        countries=MappingProxyType(countries),
    )


def _put(rules: dict[_Key, AccessRule], key: _Key, rule: AccessRule) -> None:
    before = rules.get(key)
    if before is None or rule.precedence > before.precedence:
        rules[key] = rule


def _rule(document: AccessRuleDocument, source: str, code: int, rank: int) -> AccessRule:
    return AccessRule(
        id=document.id,
        mode=document.mode,
        source=source,
        code=code,
        rank=rank,
        value=document.value,
        notes=document.notes,
    )


def _asn(document: AccessRuleDocument, where: Place) -> int:
    digits = document.value.upper().removeprefix("AS")
    if not (digits.isascii() and digits.isdecimal() and 0 < int(digits[:12]) <= _MAX_ASN):
        raise where.below("value").wrong(document.value, "the number of an autonomous system (AS64512)")
    return int(digits)


def _country(document: AccessRuleDocument, where: Place) -> str:
    code = document.value.upper()
    if len(code) != 2 or not code.isascii() or not code.isalnum():
        raise where.below("value").wrong(document.value, "a country of two letters")
    return code


def _network(document: AccessRuleDocument, where: Place) -> IPv4Network | IPv6Network:
    try:
        return ip_network(document.value)
    except ValueError:
        raise where.below("value").wrong(document.value, "an address, or a network") from None
