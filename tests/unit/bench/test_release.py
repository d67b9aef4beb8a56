"""`bench.release`: what is made of what both ends say, and the table."""

import pytest

from bench.errors import UnusableError
from bench.release import Load, Outcome, _by_close, _measured, _note_loss, table, unevenness
from bench.releasing import RELEASABLE
from tests.integration.numbered import Account
from tests.integration.numbered_run import Verdict


@pytest.mark.parametrize(
    ("at_s", "wanted"),
    [
        ([10 + place / 100 for place in range(1_000)], 0.001),
        ([10.0] * 1_000, 0.999),
        # Half of them in the first tenth of the window, the others in the rest.
        ([place / 500 for place in range(500)] + [1 + place * 9 / 500 for place in range(500)], 0.4),
        # The last one comes after the window.
        ([place / 50 for place in range(1_000)], 0.5),
    ],
)
def test_closes_are_as_uneven_as_their_farthest_is_from_an_even_spread(at_s: list[float], wanted: float) -> None:
    assert unevenness(at_s, 10) == pytest.approx(wanted, abs=0.01)


def ended(code: int | None = None, reason: str = "", how: str = "eof") -> Account:
    return Account(sent=5, taken=5, code=code, reason=reason, ended=how)


def test_a_connection_that_ended_without_a_close_is_1006() -> None:
    accounts = [
        ended(1012, "release: connect again"),
        ended(1012, "release: now"),
        ended(),
        ended(how="reset"),
        ended(1001),
    ]
    assert _by_close(accounts) == {"1012 release": 2, "1006 (eof)": 1, "1006 (reset)": 1, "1001 (no reason)": 1}


def test_what_is_lost_is_told_apart_from_what_said_goodbye() -> None:
    clients = {
        0: Account(sent=9, taken=9),
        1: ended(),
        2: ended(1000),
        3: ended(),
        4: Account(0, 0, failed="status 503"),
    }
    said = Verdict(
        clients=clients,
        origin={},
        tallies={"the clients": {"lost": 2}},
        connects={"open": 4, "status 503": 1},
        phases={"before": {"p99_ms": 1.0}, "during": {"p99_ms": 2.5, "max_ms": 30}},
        to_origin_cut={1: 3},
        to_client_cut={},
    )
    outcome = Outcome(proxy="p", version="p/1", how="h")
    _note_loss(outcome, said, Load(connections=2))
    assert (outcome.connections_lost, outcome.lost_by, outcome.messages_cut) == (1, {"1006 (eof)": 1}, 3)
    assert outcome.refused == {"status 503": 1, "open, then cut": 1}
    assert (outcome.p99_before_ms, outcome.p99_during_ms, outcome.max_during_ms) == (1.0, 2.5, 30)
    row = table([outcome], Load()).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert cells[:4] == [
        "p/1 (`h`)",
        "1 (1006 (eof): 1)",
        "the clients: 2 messages lost; 3 cut off",
        "2 of 6 (status 503: 1, open, then cut: 1)",
    ]


def test_a_proxy_that_nobody_knows_is_named() -> None:
    with pytest.raises(UnusableError, match="no proxy is named 'apache'"):
        _measured("apache", Load(), threads=1)


def test_every_proxy_says_how_it_is_released() -> None:
    assert {"holdfast", "nginx", "haproxy", "envoy", "caddy", "caddy-delay"} == set(RELEASABLE)
    assert all(one.how for one in RELEASABLE.values())
