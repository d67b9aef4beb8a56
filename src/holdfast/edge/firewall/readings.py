"""What the expression of a rule looks at, and what it found there: for events and traces.

Law 1: only the first MAX_READINGS are kept.
Law 2: values are read when a rule has matched, from what the expression itself has computed, and only so much of each as may be
shown to anybody (`rules.read_values`).
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.rules.context import EvaluationContext
from holdfast.rules.read_values import ReadValue, values_read_by
from holdfast.rules.syntax_tree import Expression

# As many as an event shows (`security_event.MAX_FIELDS`).
MAX_READINGS = 16


def readings_of(expression: Expression) -> tuple[ReadValue, ...]:
    """What `expression` looks at, in the order in which it says so, each once."""
    return values_read_by(expression)[:MAX_READINGS]


def values_of(readings: Sequence[ReadValue], context: EvaluationContext) -> tuple[tuple[str, str], ...]:
    """The names and values that are there for a request, as they may be shown."""
    values = ((one.name, one.shown(context)) for one in readings)
    return tuple((name, value) for name, value in values if value is not None)
