"""The API is as it describes itself: a short run of schemathesis; `make conformance ARGS=api` is the long one."""

import pytest

from conformance.api_schema import Subject, run
from tests.integration.installation import Installation


@pytest.mark.timeout(300)
def test_what_is_described_is_what_is_answered(installed: Installation) -> None:
    is_well, said = run(Subject(installed.api, installed.token), seed=20261126, examples=4, phases="fuzzing,stateful")
    assert is_well, said
    assert not [line for line in installed.log_lines if '"api_failed"' in line]
