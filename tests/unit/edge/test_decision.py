"""Decisions are values: frozen, compared by what they hold."""

import pytest

from holdfast.edge.decision import Forward, Respond
from tests.unit.edge.origins import ORIGIN


def test_what_is_not_said_is_nothing() -> None:
    assert Forward(ORIGIN) == Forward(ORIGIN, (), ())
    assert Respond(204) == Respond(204, (), b"")


def test_a_decision_cannot_be_changed() -> None:
    decision = Respond(503, (("Retry-After", "5"),), b"busy")
    with pytest.raises(AttributeError):
        decision.status = 200  # type: ignore[misc]
