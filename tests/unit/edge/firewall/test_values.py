"""Compiled values: frozen but for what `Deploy` remembers, and empty where nobody says anything."""

from typing import Any

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
    assert firewall.asks == 0


@pytest.mark.parametrize(("place", "name"), list(enumerate(("access", "custom", "rate_limits", "managed"))))
def test_a_firewall_says_what_is_to_be_asked_of_it(place: int, name: str) -> None:
    said: dict[str, Any] = {name: object()}
    assert Firewall(**said).asks == 1 << place
