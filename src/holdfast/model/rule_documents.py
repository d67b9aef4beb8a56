"""Rules as they are published: of zones, of accounts, lists that rules name, and managed rules that were loaded.

Law 1: as for zones (`zone_document`): a document is data, says what was configured and not what follows from it, and its
fields are added with a default and never change their meaning.
Law 2: `action_parameters` have the API's shape, checked before they are stored; whoever compiles them checks again.
Law 3: a document is published by itself: a change of a list sends that list, and no zone that names it.

Source: Cloudflare API v4, "Rulesets", "Lists", "IP Access rules".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class RateLimitDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a rule of the phase `http_ratelimit` counts. `period` and `mitigation_timeout` are in seconds; 0 of the latter
    lets through what is within the limit. `counting_expression` "" counts what the rule's expression matches."""

    characteristics: tuple[str, ...]
    period: int
    requests_per_period: int
    mitigation_timeout: int = 0
    counting_expression: str = ""


class RuleDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. `is_logged` is None where the rule does not say (`logging.enabled`)."""

    id: str
    version: int
    action: str
    expression: str
    ref: str = ""
    description: str = ""
    enabled: bool = True
    action_parameters: Mapping[str, Any] = {}
    ratelimit: RateLimitDocument | None = None
    is_logged: bool | None = None


class RulesetDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rules of one phase, in their order. `kind` is "zone" or "root" for an entrypoint, "custom" for one that is executed."""

    id: str
    kind: Literal["zone", "root", "custom"]
    phase: str
    version: int
    name: str = ""
    rules: tuple[RuleDocument, ...] = ()


class AccessRuleDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One IP access rule. `target` says what `value` is: an address, a network, an AS number ("AS64512"), a country."""

    id: str
    mode: Literal["block", "challenge", "js_challenge", "managed_challenge", "whitelist"]
    target: Literal["ip", "ip6", "ip_range", "asn", "country"]
    value: str
    notes: str = ""


class AccountDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an account says for all of its zones. `version` counts its changes. An account that says nothing has none."""

    id: str
    version: int
    rulesets: tuple[RulesetDocument, ...] = ()
    access_rules: tuple[AccessRuleDocument, ...] = ()


class ListDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One list that expressions of its account name as `$name`. `items` are as they were checked: addresses and networks,
    host names (also `*.example.com`), or AS numbers in decimal."""

    id: str
    account_id: str
    version: int
    name: str
    kind: Literal["ip", "hostname", "asn"]
    items: tuple[str, ...] = ()


class ManagedDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Managed rules that the operator loaded, for every account: the files of the OWASP Core Rule Set by name, deflated
    (zlib). `id` is the id of the managed ruleset that they are; `release` is what they call themselves ("3.3.4")."""

    id: str
    version: int
    release: str
    files: Mapping[str, bytes]
