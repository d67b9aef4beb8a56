"""`holdfast.api.faults`: one table of statuses, codes and texts."""

import pytest

from holdfast.api import faults
from holdfast.api.faults import ApiFault


@pytest.mark.parametrize(
    ("fault", "status", "codes"),
    [
        (faults.missing_credentials(), 403, [9106]),
        (faults.unknown_key(), 403, [9103]),
        (faults.malformed_authorization(), 400, [6003]),
        (faults.authentication_failed(), 401, [10000]),
        (faults.invalid_token(), 401, [1000]),
        (faults.not_permitted("Zone Read"), 403, [10000]),
        (faults.not_yours(), 403, [9109]),
        (faults.no_route("/client/v4/x"), 404, [7003, 7000]),
        (faults.method_not_allowed("GET"), 405, [10405]),
        (faults.unavailable("it is away"), 503, [10503]),
        (faults.internal(), 500, [10500]),
    ],
)
def test_each_fault_has_its_status_and_codes(fault: ApiFault, status: int, codes: list[int]) -> None:
    assert (fault.status, [one.code for one in fault.complaints]) == (status, codes)
    assert str(fault)


def test_what_a_path_says_back_is_short_and_is_text() -> None:
    message = str(faults.no_route("/\udcff" + "x" * 10_000))
    assert len(message) < 500
    assert message.encode()
