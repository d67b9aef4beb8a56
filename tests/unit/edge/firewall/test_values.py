"""Compiled values: frozen but for what `Deploy` remembers, and empty where nobody says anything."""

import pytest

from holdfast.edge.firewall.values import CompiledAccount, Deploy, Firewall, Refuse
from holdfast.rules.managed_ruleset import Overrides


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Refuse("block").action = "log"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Firewall().custom = None  # type: ignore[misc]


def test_each_deploy_remembers_for_itself() -> None:
    one, other = (Deploy("managed", Overrides(), {}) for _ in range(2))
    assert one.made is not other.made


def test_by_default_nobody_says_anything() -> None:
    assert CompiledAccount(id="a").firewall is None
    firewall = Firewall()
    assert (firewall.custom, firewall.rate_limits, firewall.managed, firewall.access) == (None, None, None, None)
    assert not firewall.asks_place
