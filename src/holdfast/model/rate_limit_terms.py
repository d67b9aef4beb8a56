"""The terms of a rate limiting rule: what is counted, by what, in which time, and what follows. Pure.

Law 1: whatever JSON came, what is returned can be counted by, or RuleError is raised, which points at the member.
Law 2: what cannot be done here is refused by name: it must not look as if it worked.
Law 3: whether a text is an expression is not known here; `api.rule_expressions` compiles what these terms name.

Source: Cloudflare WAF, "Rate limiting parameters" and "Find appropriate rate limit".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.model.rule_error import MISSING, RuleError, not_valid, shown

# Counters are of one edge: what the original demands of every rule is true of ours in any case.
COLO = "cf.colo.id"
PERIODS = (10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900, 1200, 1800, 2400, 3600, 65535, 86400)
MITIGATION_TIMEOUTS = (0, 10, 60, 120, 300, 600, 3600, 86400)
# A counter holds one more (`holdfast.limits.counters`).
MAX_REQUESTS = 2**31 - 2
# Each is evaluated for each request that the rule counts; the original's form offers fewer.
MAX_CHARACTERISTICS = 10
_MAX_TEXT = 4096

_REFUSED_MEMBERS: Mapping[str, str] = {
    "score_per_period": "scores come with the origin's answer, and rules are evaluated before there is one",
    "score_response_header_name": "rules are evaluated before there is an answer of the origin",
    "mitigation_expression": "the rule's own expression says which requests are limited",
}
# By the beginning of the text.
_REFUSED_CHARACTERISTICS: Mapping[str, str] = {
    "cf.unique_visitor_id": "visitors are not told apart by cookies here: ip.src is the nearest",
    "cf.bot_management.": "bots are not scored here",
    "cf.zone.name": "counters are each zone's own",
}


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule counts. `period` and `mitigation_timeout` are in seconds; 0 of the latter lets through what is within the
    limit. `counting_expression` "" counts what the rule's expression matches. `requests_to_origin` changes nothing: every
    request that is let through goes to the origin."""

    characteristics: tuple[str, ...]
    period: int
    requests_per_period: int
    mitigation_timeout: int = 0
    counting_expression: str = ""
    requests_to_origin: bool = False

    @property
    def counted_by(self) -> tuple[tuple[int, str], ...]:
        """The characteristics that are expressions, each with its place."""
        return tuple((place, text) for place, text in enumerate(self.characteristics) if text != COLO)


def parse_rate_limit(given: Mapping[str, Any]) -> RateLimit:
    """The terms as the API has them. Raises RuleError, relative to the rule."""
    for name, why in _REFUSED_MEMBERS.items():
        if given.get(name) is not None:
            raise not_valid(shown(given[name]), f"ratelimit.{name}", why)
    return RateLimit(
        characteristics=_characteristics(given.get("characteristics")),
        period=_one_of(given, "period", PERIODS),
        requests_per_period=_requests(given),
        mitigation_timeout=_one_of(given, "mitigation_timeout", MITIGATION_TIMEOUTS, default=0),
        counting_expression=_text(given.get("counting_expression") or "", "ratelimit.counting_expression"),
        requests_to_origin=_truth(given, "requests_to_origin"),
    )


def _characteristics(given: object) -> tuple[str, ...]:
    field = "ratelimit.characteristics"
    if not isinstance(given, list | tuple) or not given:
        raise RuleError(
            MISSING, "ratelimit.characteristics is missing: expected a list of texts", "/ratelimit/characteristics"
        )
    if len(given) > MAX_CHARACTERISTICS:
        raise not_valid(len(given), field, f"expected at most {MAX_CHARACTERISTICS} of them")
    found = []
    for place, one in enumerate(given):
        pointer = f"/ratelimit/characteristics/{place}"
        text = _text(one, field, pointer)
        if text in found:
            raise not_valid(shown(text), field, "it stands there twice", pointer=pointer)
        for beginning, why in _REFUSED_CHARACTERISTICS.items():
            if text.startswith(beginning):
                raise not_valid(shown(text), field, why, pointer=pointer)
        found.append(text)
    if COLO not in found:
        raise not_valid(", ".join(map(shown, found)), field, f"{COLO} must be among them: counters are of each place")
    return tuple(found)


def _one_of(given: Mapping[str, Any], name: str, allowed: tuple[int, ...], *, default: int | None = None) -> int:
    value = given.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise RuleError(MISSING, f"ratelimit.{name} is missing", f"/ratelimit/{name}")
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise not_valid(shown(value), f"ratelimit.{name}", f"expected one of {', '.join(map(str, allowed))}")
    return value


def _requests(given: Mapping[str, Any]) -> int:
    value = given.get("requests_per_period")
    if value is None:
        raise RuleError(MISSING, "ratelimit.requests_per_period is missing", "/ratelimit/requests_per_period")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_REQUESTS:
        raise not_valid(shown(value), "ratelimit.requests_per_period", f"expected a number from 1 to {MAX_REQUESTS}")
    return value


def _truth(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    if value is None or isinstance(value, bool):
        return value is True
    raise not_valid(shown(value), f"ratelimit.{name}", "expected true or false")


def _text(value: object, field: str, pointer: str = "") -> str:
    if not isinstance(value, str):
        raise not_valid(shown(value), field, "it is no text", pointer=pointer)
    if len(value) > _MAX_TEXT:
        raise not_valid(
            shown(value), field, f"it has {len(value)} characters, {_MAX_TEXT} are allowed", pointer=pointer
        )
    if "\0" in value or not _is_unicode(value):
        raise not_valid(shown(value), field, "it has a NUL or half a surrogate pair", pointer=pointer)
    return value.strip()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
