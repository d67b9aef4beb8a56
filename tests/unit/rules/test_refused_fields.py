"""Fields that are refused by name."""

import pytest

from holdfast.rules.refused_fields import REFUSED, refusal_of
from holdfast.rules.scheme import FIELDS


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cf.threat_score", "threats are not scored here"),
        ("cf.bot_management.score", "bots are not scored here"),
        ("cf.bot_management.of_tomorrow", "bots are not scored here"),
        ("http.request.body.raw", "rules are evaluated before the body is read"),
        ("http.request.jwt.claims.sub", "tokens are not validated here"),
        ("cf.llm.prompt.detected", "prompts are not inspected here"),
        ("http.response.code", "rules are evaluated before there is a response"),
    ],
)
def test_a_field_that_cannot_be_known_is_refused_with_its_reason(name: str, reason: str) -> None:
    assert refusal_of(name) == reason


@pytest.mark.parametrize("name", ["http.host", "http.hots", "cf", "cf.threat_score.more", "cf.threat_scores", ""])
def test_any_other_name_is_not_refused(name: str) -> None:
    assert refusal_of(name) is None


def test_no_field_that_is_known_is_refused() -> None:
    assert [name for name in FIELDS if refusal_of(name)] == []
    assert all(refusal_of(f"{name}x" if name.endswith(".") else name) == why for name, why in REFUSED.items())
