"""What a socket gets where there is no process of a script."""

from typing import Any

import pytest

from holdfast.workers.runtime.services import Services


def test_outside_of_a_process_nothing_is_adopted_and_errors_are_raised() -> None:
    services = Services()
    half: Any = object()
    with pytest.raises(RuntimeError, match="no channel"):
        services.adopt(half, "token")
    assert services.ray_of(7) == ""
    with pytest.raises(ValueError, match="of user code"):
        services.report(ValueError("of user code"), "a listener")
