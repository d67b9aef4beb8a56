"""A cable that is pulled, between a client and the edge and between the edge and an origin: nobody says anything, and both sides
that are left learn of it.

Law: the machine's own network is not touched: each cable is of a network namespace of this module's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.cable import Cable, missing
from tests.integration.faults import COUNT, KEEPALIVE, scene, words
from tests.integration.numbered_run import Origin
from tests.integration.run import Run
from tests.integration.zones_of_run import UNLIMITED, Zones

LACK = missing()
pytestmark = pytest.mark.skipif(bool(LACK), reason=LACK or "a cable can be made")


@dataclass(frozen=True)
class Place:
    """A run between two cables: its edge listens at the near end of the clients'."""

    zones: Zones
    clients: Cable
    origin: Cable


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("cable") / "data"
    with (
        Cable() as clients,
        Cable() as origin,
        Run(data, environment=UNLIMITED, listen=f"{clients.near}:0") as run,
        Zones(run) as zones,
    ):
        yield Place(zones, clients, origin)


@pytest.mark.parametrize("how", ["unplug", "drop"])
def test_clients_behind_a_pulled_cable_are_found_dead_and_their_origin_told(how: str, place: Place) -> None:
    with scene(place.zones, KEEPALIVE, under=place.clients.under) as here:
        pull(place.clients, how)
        try:
            ended = here.ended()
        finally:
            mend(place.clients, how)
        assert words(ended) == {("edge", "client_unresponsive"): COUNT}
        here.origin_ended()
        said = here.verdict()
        assert said.faults == []
        assert said.seen("origin") == {(1001, "client_unresponsive"): COUNT}


@pytest.mark.parametrize("how", ["unplug", "drop"])
def test_an_origin_behind_a_pulled_cable_is_found_dead_and_its_clients_told(how: str, place: Place) -> None:
    with (
        Origin(place.origin.far, place.zones.run.plain[1], under=place.origin.under) as origin,
        scene(place.zones, KEEPALIVE, under=place.clients.under, origin=origin) as here,
    ):
        pull(place.origin, how)
        try:
            ended = here.ended()
            here.clients_ended()
        finally:
            mend(place.origin, how)
        assert words(ended) == {("edge", "origin_unresponsive"): COUNT}
        said = here.verdict()
        assert said.faults == []
        assert said.seen("clients") == {(1001, "origin_unresponsive"): COUNT}


@pytest.mark.parametrize("how", ["unplug", "drop"])
def test_a_cable_that_is_pulled_for_a_moment_costs_nothing(how: str, place: Place) -> None:
    """TCP sends again what was lost: a keepalive that gives up only after some misses lets it."""
    patient = {"websocket_keepalive_interval": 1, "websocket_keepalive_misses": 10}
    with scene(place.zones, patient, under=place.clients.under) as here:
        here.clients.ask("load", 400, 0)
        pull(place.clients, how)
        here.stay_open(1.5)
        mend(place.clients, how)
        assert here.clients.ask("settle") == {"unanswered": 0}
        said = here.talk()
        assert (said.faults, said.lost_at_the_end()) == ([], {})


def pull(cable: Cable, how: str) -> None:
    """Pull it in one of two ways."""
    if how == "unplug":
        cable.unplug()
    else:
        cable.drop()


def mend(cable: Cable, how: str) -> None:
    """Undo `pull`."""
    if how == "unplug":
        cable.plug_in()
    else:
        cable.let_pass()
