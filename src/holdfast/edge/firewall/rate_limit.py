"""Whose counter a request is, and how often it may come: one rule of the phase `http_ratelimit`.

Law 1: two requests share a counter where the rule, its period and every characteristic are the same. A characteristic that
is missing (a header that was not sent) is not the same as one that is empty.
How a key is spelled, `rate_limit_key` says. Law 2: an IPv6 client is its network of 64 bits.

Source: Cloudflare, "Rate limiting parameters". Counters are those of one machine, so `cf.colo.id`, which the API asks for, is
the same for all of them and in no key.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.rate_limit_key import Key, compile_key
from holdfast.limits.counters import MAX_COUNT, MAX_SECONDS
from holdfast.limits.verdict import Verdict
from holdfast.model.rule_documents import RateLimitDocument
from holdfast.rules.compile import CompiledValue, compile_value
from holdfast.rules.context import EvaluationContext
from holdfast.rules.errors import ParseError

_COLO = "cf.colo.id"

# Precedent for the first: Cloudflare's longest; a limit is bounded by what a counter can hold.
_BOUNDS = (
    ("period", 1, MAX_SECONDS),
    ("requests_per_period", 1, MAX_COUNT - 1),
    ("mitigation_timeout", 0, MAX_SECONDS),
)

_NOT_COUNTED = Verdict(is_limited=False, retry_after_s=0, count=0)


class Counters(Protocol):
    """What counts requests by key (`holdfast.limits.counters.RateCounters`)."""

    def hit(
        self, key: bytes, *, now: float, period_s: int, limit: int, mitigation_s: int, is_counted: bool = True
    ) -> Verdict:
        """Count a request, or with `is_counted` false only look."""
        ...


class RateLimit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How often requests that share a key may come. Times in seconds; `mitigation_s` 0 lets through what is within the limit.

    `key` says which counter a request is for. `counts_itself` says that what counts is what the rule's own expression matches. `ceiling` is what is counted up to: more
    than the limit where other requests count than are held to it, for those beyond it must be seen to be, and counters count
    nothing beyond a limit that is only throttled.
    """

    key: Key
    period_s: int
    limit: int
    mitigation_s: int
    ceiling: int
    counts_itself: bool = True

    def hit(self, counters: Counters | None, context: EvaluationContext, *, now: float, is_counted: bool) -> Verdict:
        """Count the request, or with `is_counted` false only look whether it is beyond the limit. `now` in Unix seconds.
        Without counters nothing is."""
        if counters is None:
            return _NOT_COUNTED
        limit, ceiling = self.limit, self.ceiling
        verdict = counters.hit(
            self.key(context),
            now=now,
            period_s=self.period_s,
            limit=ceiling,
            mitigation_s=self.mitigation_s,
            is_counted=is_counted,
        )
        if ceiling == limit or verdict.is_limited or verdict.count <= limit:
            return verdict
        return Verdict(is_limited=True, retry_after_s=self.period_s, count=verdict.count)


def rate_limit_of(document: RateLimitDocument, *, rule_id: str, place: Place) -> RateLimit:
    """The limit that `document` says, of the rule `rule_id`. Raises CompileError."""
    for name, least, most in _BOUNDS:
        value = getattr(document, name)
        if not least <= value <= most:
            raise place.below(name).wrong(value, f"a number from {least} to {most}")
    below = place.below("characteristics")
    values = [_value(text, below) for text in document.characteristics if text != _COLO]
    counts_itself = not document.counting_expression
    is_throttle = document.mitigation_timeout == 0
    return RateLimit(
        # Other requests are within another period, so they are counted anew when it changes.
        key=compile_key(f"{rule_id}:{document.period}:", values),
        period_s=document.period,
        limit=document.requests_per_period,
        mitigation_s=document.mitigation_timeout,
        ceiling=document.requests_per_period + (is_throttle and not counts_itself),
        counts_itself=counts_itself,
    )


def _value(text: str, place: Place) -> CompiledValue:
    """What reads one characteristic."""
    try:
        return compile_value(text)
    except ParseError as error:
        raise place.wrong(text, f"a characteristic ({error.sentence})") from None
