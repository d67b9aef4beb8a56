"""`holdfast.api.context`: what handlers share, and the limits that hold when nobody says otherwise."""

from dataclasses import FrozenInstanceError

import pytest

from holdfast.api.context import Limits
from holdfast.config.run import Config


def test_the_limits_are_those_that_cloudflare_documents() -> None:
    limits = Limits()
    assert (limits.requests_per_5_minutes, limits.requests_per_second_and_address) == (1200, 200)


def test_the_configuration_has_the_same_defaults() -> None:
    config, limits = Config(), Limits()
    assert config.control_rate_limit == limits.requests_per_5_minutes
    assert config.control_ip_rate_limit == limits.requests_per_second_and_address


def test_limits_do_not_change_while_they_are_in_force() -> None:
    with pytest.raises(FrozenInstanceError):
        Limits().requests_per_5_minutes = 5  # type: ignore[misc]  # which is what is tested
