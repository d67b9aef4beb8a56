"""TLS of all zones together: each speaks for its own names, and for no other zone's."""

from typing import Any, cast

import pytest

from holdfast.edge.snapshot import Snapshot
from holdfast.edge.zone import CompiledZone, ServedCertificate
from holdfast.edge.zone_tls import certificates_shown, has_other_tls, tls_demanded, tls_rules
from tests.unit.edge.origins import a_record, a_zone, snapshot_of


def demanded(snapshot: Snapshot) -> dict[str, str]:
    """The least version by name; the first of a name counts."""
    found: dict[str, str] = {}
    for tls in tls_demanded(snapshot):
        for name in tls.names:
            found.setdefault(name, tls.min_version)
    return found


def strict(name: str, *hosts: str) -> CompiledZone:
    return a_zone(name, *map(a_record, (name, *hosts)), min_tls_version="1.3")


def test_zones_that_demand_nothing_have_no_rules() -> None:
    assert tls_demanded(snapshot_of(a_zone("a.test"), a_zone("b.a.test"))) == []


def test_a_zone_s_demand_holds_for_each_of_its_names() -> None:
    snapshot = snapshot_of(strict("a.test", "x.y.a.test", "*.deep.a.test"), a_zone("b.test"))
    assert demanded(snapshot) == dict.fromkeys(["a.test", "*.a.test", "x.y.a.test", "*.deep.a.test"], "1.3")


def test_a_zone_below_is_not_reached_by_what_the_upper_one_demands() -> None:
    upper = strict("a.test", "sub.a.test", "x.sub.a.test", "*.sub.a.test")
    assert demanded(snapshot_of(upper, a_zone("sub.a.test"))) == {
        "a.test": "1.3",
        "*.a.test": "1.3",
        "sub.a.test": "1.2",
    }


def test_a_zone_below_may_demand_more_than_the_upper_one() -> None:
    found = demanded(snapshot_of(a_zone("a.test"), strict("sub.a.test")))
    assert found == {"sub.a.test": "1.3", "*.sub.a.test": "1.3"}


def test_a_zone_without_http_2_says_so_for_its_names_and_no_others() -> None:
    snapshot = snapshot_of(a_zone("a.test", http2="off"), a_zone("sub.a.test"), a_zone("b.test"))
    found = {name: tls.http2 for tls in reversed(tls_demanded(snapshot)) for name in tls.names}
    assert found == {"a.test": False, "*.a.test": False, "sub.a.test": True}


def test_rules_are_what_the_core_takes() -> None:
    (rule,) = tls_rules(snapshot_of(a_zone("a.test", ciphers=("ECDHE-RSA-AES128-GCM-SHA256",), tls_1_3="off")))
    assert rule.names == ("a.test", "*.a.test")


def with_certificates(name: str, *marks: str) -> CompiledZone:
    zone = a_zone(name)
    certificates = tuple(ServedCertificate(mark.encode(), cast("Any", mark)) for mark in marks)
    return CompiledZone(
        id=zone.id, name=name, account_id="", features=zone.features, targets={}, certificates=certificates
    )


def test_the_edge_s_own_certificates_come_first_and_then_the_deepest_zone_s() -> None:
    snapshot = snapshot_of(with_certificates("a.test", "upper 1", "upper 2"), with_certificates("sub.a.test", "lower"))
    shown: list[Any] = [*certificates_shown([cast("Any", "own")], snapshot)]
    assert shown == ["own", "lower", "upper 1", "upper 2"]


@pytest.mark.parametrize(
    ("before", "after", "others", "expected"),
    [
        ([a_zone("a.test")], [a_zone("a.test", websockets="off")], [], False),
        ([a_zone("a.test")], [a_zone("a.test", min_tls_version="1.3")], [], True),
        ([a_zone("a.test", tls_1_3="off")], [], [], True),
        ([], [with_certificates("a.test", "one")], [], True),
        ([with_certificates("a.test", "one")], [with_certificates("a.test", "one")], [], False),
        ([with_certificates("a.test", "one")], [with_certificates("a.test", "two")], [], True),
        ([], [a_zone("sub.a.test")], [], False),
        ([], [a_zone("sub.a.test")], [strict("a.test")], True),
        ([a_zone("sub.a.test")], [a_zone("sub.a.test", ssl="full")], [strict("a.test")], False),
        ([a_zone("sub.a.test")], [], [strict("a.test")], True),
    ],
)
def test_tls_is_touched_where_it_changes(
    before: list[CompiledZone], after: list[CompiledZone], others: list[CompiledZone], expected: bool
) -> None:
    assert has_other_tls(before, after, snapshot_of(*others, *after)) is expected
