"""`holdfast.limits.verdict`: a value, and nothing that could change under whoever holds it."""

import pytest

from holdfast.limits.verdict import Verdict


def test_a_verdict_is_a_value() -> None:
    verdict = Verdict(is_limited=True, retry_after_s=10, count=6)
    assert verdict == Verdict(is_limited=True, retry_after_s=10, count=6)
    with pytest.raises(AttributeError):
        verdict.count = 7  # type: ignore[misc]
