"""Try an expression on a request, on this machine: what `holdfast rule test` does without an API.

Law: it is the rules' own evaluation; what is known beside the request is what was said of it, the present time, and for the name
of the zone (`cf.zone.name`) the host.
"""

from __future__ import annotations

import time

from holdfast.client.verbs.rule import BadExpression, Trial
from holdfast.model.request_text import GivenRequest
from holdfast.rules.compile import compile_expression
from holdfast.rules.context import EvaluationContext, Facts, Place
from holdfast.rules.errors import ParseError, Undecided
from holdfast.rules.read_values import values_read_by


def try_expression(text: str, given: GivenRequest) -> Trial:
    """Whether `text` matches, and what it read. Raises BadExpression, with the original's text."""
    try:
        compiled = compile_expression(text)
    except ParseError as error:
        raise BadExpression(str(error)) from None
    for name in compiled.expression.lists:
        # A list is an account's.
        raise BadExpression(f"The list ${name} is not known here: with --zone, those of the zone's account are.")
    facts = Facts(
        zone_name=given.request.host,
        now_ms=time.time_ns() // 1_000_000,
        place=Place(country=given.country or None, asn=given.asn or None),
    )
    context = EvaluationContext(given.request, facts)
    values = tuple((one.name, one.text(context)) for one in values_read_by(compiled.expression))
    try:
        return Trial(compiled.matches(context), values)
    except Undecided as error:
        return Trial(False, values, undecided=str(error))  # noqa: FBT003  whether it matched
