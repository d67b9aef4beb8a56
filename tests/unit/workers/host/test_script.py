"""The states of one script as transcripts: what happens, and what the host is to do about it."""

import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.worker_messages import Event, Retire, Serve, Turn
from holdfast.workers.host.blame import FIRST_WAIT_S, KILLS_BLAMED, KILLS_COUNTED, STEP
from holdfast.workers.host.commands import Activate, Command, Conclude, Kill, Note, Spawn, Tell
from holdfast.workers.host.phases import (
    EXIT_LIMIT_S,
    EXIT_MARGIN_S,
    LINGER_AT_END_S,
    LINGER_S,
    LOAD_LIMIT_S,
    MOST_LINGERING,
    RETIRE_LIMIT_S,
    RETIRE_MARGIN_S,
    SERVE_LIMIT_S,
    WELL_AFTER_S,
)
from holdfast.workers.host.script import Script

KILLED = f"signal {signal.SIGKILL.name}"
CRASHED = f"signal {signal.SIGSEGV.name}"
RETIRE = Retire(limit_s=RETIRE_LIMIT_S, linger_s=LINGER_S)
WIND_DOWN = Retire(limit_s=RETIRE_LIMIT_S, linger_s=LINGER_AT_END_S, reason="inactive")
SERVE = Serve()


def without_notes(commands: list[Command]) -> list[Command]:
    return [command for command in commands if not isinstance(command, Note)]


def notes(commands: list[Command]) -> list[str]:
    return [command.message for command in commands if isinstance(command, Note)]


def serving(version: str = "v1", now: float = 0.0) -> Script:
    """A script whose process 1 serves."""
    script = Script()
    script.start(version, now)
    script.loaded(1, now)
    script.serving_began(1, now)
    assert script.serving is not None
    return script


def at(sid: int, seq: int, *, is_running: bool = True, is_past: bool = False) -> Turn:
    return Turn(number=1, sid=sid, seq=seq, is_running=is_running, is_past=is_past)


# --- Starting and deploying -------------------------------------------------------------------------------------------


def test_what_has_served_before_is_loaded_and_serves() -> None:
    script = Script()
    assert script.start("v1", 0.0) == [Spawn(1, "v1")]
    assert script.state == "loading"
    assert script.loaded(1, 1.0) == [Tell(1, SERVE)]
    assert script.serving_began(1, 2.0) == []
    assert (script.state, script.next_moment()) == ("serving", None)


def test_a_first_deployment_is_done_when_it_serves() -> None:
    script = Script()
    assert script.deploy(7, "v1", 0.0) == [Spawn(1, "v1")]
    assert script.loaded(1, 1.0) == [Tell(1, SERVE)]
    assert without_notes(script.serving_began(1, 2.0)) == [Activate("v1"), Conclude(7)]


def test_a_deployment_loads_beside_and_serves_when_the_one_before_has_let_go() -> None:
    script = serving()
    assert script.deploy(7, "v2", 0.0) == [Spawn(2, "v2")]
    assert script.state == "serving"
    assert script.loaded(2, 1.0) == [Tell(1, RETIRE)]
    assert script.retired(1, 2.0) == [Tell(2, SERVE)]
    assert script.exited(1, "status 0", None, 2.1) == []
    assert without_notes(script.serving_began(2, 2.2)) == [Activate("v2"), Conclude(7)]
    assert (script.version, script.next_moment()) == ("v2", None)


@pytest.mark.parametrize("says", [True, False])
def test_a_deployment_that_does_not_load_is_refused_and_the_one_before_goes_on(says: bool) -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    if says:
        refused = script.load_failed(2, "SyntaxError", "Traceback", 1.0)
        assert without_notes(refused) == [Conclude(7, "SyntaxError", "Traceback")]
        assert notes(refused) == ["version v2 is refused: SyntaxError\nTraceback"]
        assert script.exited(2, "status 1", None, 1.1) == []
    else:
        script.printed(2, "ImportError: no such module")
        script.printed(2, "  ")
        refused = script.exited(2, KILLED, None, 1.0)
        assert without_notes(refused) == [
            Conclude(7, f"it ended with {KILLED} before it was loaded: ImportError: no such module")
        ]
    assert (script.state, script.version, script.next_moment()) == ("serving", "v1", None)


@pytest.mark.parametrize("is_first_gone", [True, False])
@pytest.mark.parametrize("is_next_asked_for", [True, False])
def test_a_deployment_that_ends_after_it_has_loaded_leaves_the_version_before_serving(
    *, is_first_gone: bool, is_next_asked_for: bool
) -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    if is_next_asked_for:
        script.deploy(8, "v3", 0.0)
    assert script.loaded(2, 1.0) == [Tell(1, RETIRE)]
    next_one = [Spawn(3, "v3")] if is_next_asked_for else []
    again = Spawn(4 if is_next_asked_for else 3, "v1")
    refused = Conclude(7, "it ended with status 0")
    if is_first_gone:
        assert without_notes(script.exited(2, "status 0", None, 1.1)) == [refused, *next_one]
        assert script.retired(1, 1.2) == [again]
    else:
        # It was told to serve, and has not said that it does.
        script.retired(1, 1.1)
        crashed = script.exited(2, "status 0", None, 1.2)
        assert [one for one in crashed if isinstance(one, Spawn)] == (
            [*next_one, again] if is_next_asked_for else [again]
        )
    assert script.loaded(again.number, 2.0) == [Tell(again.number, SERVE)]
    script.serving_began(again.number, 2.1)
    assert (script.state, script.version) == ("serving", "v1")


def test_a_script_that_is_stopped_is_not_served_again() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    script.exited(2, "status 0", None, 1.1)
    script.stop(1.2)
    assert script.retired(1, 1.3) == []
    assert (script.exited(1, "status 0", None, 1.4), script.is_over) == ([], True)


def test_a_process_that_dies_while_it_retires_delays_nothing() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    ended = script.exited(1, KILLED, None, 1.5)
    assert without_notes(ended) == [Tell(2, SERVE)]
    assert notes(ended) == [f"version v1 did not retire in an orderly way: it ended with {KILLED}"]


def test_what_cannot_serve_gives_way_to_what_did() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    script.retired(1, 2.0)
    script.exited(1, "status 0", None, 2.0)
    assert without_notes(script.exited(2, "status 1", None, 3.0)) == [
        Conclude(7, "it ended with status 1"),
        Spawn(3, "v1"),
    ]
    assert script.version == "v1"


def test_a_first_deployment_that_cannot_serve_leaves_nothing() -> None:
    script = Script()
    script.deploy(7, "v1", 0.0)
    script.loaded(1, 0.0)
    assert without_notes(script.exited(1, "status 1", None, 1.0)) == [Conclude(7, "it ended with status 1")]
    assert (script.state, script.version, script.next_moment()) == ("stopped", "", None)


def test_one_deployment_waits_and_a_later_one_takes_its_place() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    assert script.deploy(8, "v3", 0.1) == []
    assert script.deploy(9, "v4", 0.2) == [Conclude(8, "version v4 was deployed before its turn came")]
    script.loaded(2, 1.0)
    script.retired(1, 1.0)
    assert without_notes(script.serving_began(2, 2.0)) == [Activate("v2"), Conclude(7), Spawn(3, "v4")]


def test_a_refused_deployment_lets_the_one_that_waits_begin() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.deploy(8, "v3", 0.1)
    assert without_notes(script.load_failed(2, "no", "", 1.0)) == [Conclude(7, "no"), Spawn(3, "v3")]


def test_a_restart_is_a_deployment_of_the_same() -> None:
    assert serving().restart(7, 0.0) == [Spawn(2, "v1")]
    assert [type(command) for command in Script().restart(7, 0.0)] == [Conclude]


def test_a_deployment_takes_the_place_of_what_cannot_load() -> None:
    script = Script()
    script.start("v1", 0.0)
    script.load_failed(1, "no", "", 0.0)
    script.exited(1, "status 1", None, 0.0)  # at once again
    script.exited(2, "status 1", None, 0.0)
    assert script.state == "waiting"
    script.deploy(7, "v2", 0.0)
    assert script.loaded(3, 0.05) == [Tell(3, SERVE)]
    assert script.next_moment() == 0.05 + SERVE_LIMIT_S


def test_a_deployment_replaces_what_still_loads_without_asking_it() -> None:
    script = Script()
    script.start("v1", 0.0)
    script.deploy(7, "v2", 0.0)
    assert script.loaded(2, 1.0) == [Kill(1)]
    assert script.exited(1, KILLED, None, 1.1) == [Tell(2, SERVE)]


# --- Crashes ----------------------------------------------------------------------------------------------------------


def test_a_crash_is_followed_by_a_start_at_once_and_then_ever_later() -> None:
    script, now, number, waits = serving(), 0.0, 1, []
    for _ in range(9):
        commands = without_notes(script.exited(number, KILLED, None, now))
        moment = script.next_moment()
        if not commands:
            assert moment is not None
            assert script.state == "waiting"
            waits.append(round(moment - now, 3))
            now = moment
            commands = script.time_passed(now)
        number += 1
        assert commands == [Spawn(number, "v1")]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_why_a_script_does_not_serve_is_known_until_it_does() -> None:
    script = serving()
    script.exited(1, KILLED, None, 0.0)
    script.load_failed(2, "ImportError: no such module", "Traceback", 1.0)
    crashed = script.exited(2, "status 1", None, 1.0)
    assert notes(crashed) == ["version v1 has crashed: ImportError: no such module\nTraceback"]
    assert (script.state, script.reason, script.restarts) == ("waiting", "ImportError: no such module", 2)
    script.time_passed(1.2)
    script.loaded(3, 1.3)
    script.serving_began(3, 1.4)
    assert (script.state, script.reason) == ("serving", "")


def test_a_crash_during_a_deployment_lets_what_has_loaded_serve() -> None:
    script = Script(may_serve=False)
    script.start("v1", 0.0)
    script.deploy(7, "v2", 0.0)
    script.exited(1, KILLED, None, 0.5)
    assert script.loaded(2, 1.0) == [Kill(3)]
    script.exited(3, KILLED, None, 1.0)
    assert script.allow_serving(2.0) == [Tell(2, SERVE)]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param([at(5, 9)], None, id="a first death may be anybody's fault"),
        pytest.param([at(5, 9), at(5, 9)], Event(sid=5, seq=9), id="twice in a row is the event's"),
        pytest.param([at(5, 9), at(6, 9)], None, id="two events are not twice the same"),
        pytest.param([at(5, 9), None, at(5, 9)], None, id="not in a row"),
        pytest.param([at(5, 9, is_running=False, is_past=True)] * 2, Event(sid=5, seq=9), id="twice after the same"),
        pytest.param([at(5, 9, is_past=True)], None, id="once after it may be anybody's fault"),
        pytest.param([at(0, 0)] * 3, None, id="no session's event"),
        pytest.param([at(5, 9), at(5, 9), None], Event(sid=5, seq=9), id="it stays known"),
    ],
)
def test_what_a_process_dies_of_twice_is_not_delivered_again(turns: list[Turn | None], expected: Event | None) -> None:
    script, now = serving(), 0.0
    told: list[Command] = []
    for number, turn in enumerate(turns, start=1):
        script.exited(number, CRASHED, turn, now)
        now += 10.0
        script.time_passed(now)
        told = script.loaded(number + 1, now)
        script.serving_began(number + 1, now)
    # Who is suspected is watched: events begin one at a time then.
    is_suspected = expected is None and turns[-1] is not None and turns[-1].sid != 0
    ends = sum(1 for turn in turns if turn is not None and turn.sid) if expected is None else 0
    wait_s = FIRST_WAIT_S * STEP ** (ends - 1) if ends else 0.0
    assert told == [Tell(len(turns) + 1, Serve(died_in=expected, is_after_crash=is_suspected, wait_s=wait_s))]


def test_what_a_limit_ends_is_not_delivered_again_the_first_time() -> None:
    script = serving()
    assert script.limit_hit(1, "30 s of processor time") == [Kill(1)]
    assert script.limit_hit(1, "30 s of processor time") == []
    crashed = script.exited(1, KILLED, at(5, 9), 1.0)
    assert notes(crashed) == ["version v1 has crashed: 30 s of processor time"]
    assert script.loaded(2, 2.0) == [Tell(2, Serve(died_in=Event(sid=5, seq=9)))]


def test_a_limit_that_is_hit_after_an_event_is_its_fault_the_second_time() -> None:
    script = serving()
    for number, expected in ((1, None), (2, Event(sid=5, seq=9))):
        script.limit_hit(number, "it had 600 MiB in memory")
        script.exited(number, KILLED, at(5, 9, is_past=True), 10.0 * number)
        script.time_passed(10.0 * number + 5)
        told = script.loaded(number + 1, 10.0 * number + 6)
        script.serving_began(number + 1, 10.0 * number + 6)
        is_open = expected is None
        assert told == [
            Tell(
                number + 1,
                Serve(died_in=expected, is_after_crash=is_open, wait_s=FIRST_WAIT_S if is_open else 0.0),
            )
        ]


@pytest.mark.parametrize(
    ("kills", "is_past", "expected"),
    [
        (2, False, Event(sid=5, seq=9)),
        (2, True, None),
        (KILLS_BLAMED - 1, True, None),
        (KILLS_BLAMED, True, Event(sid=5, seq=9)),
    ],
)
def test_who_is_killed_from_outside_while_it_rests_blames_an_event_late(
    kills: int, *, is_past: bool, expected: Event | None
) -> None:
    script = serving()
    told: list[Command] = []
    for number in range(1, kills + 1):
        script.exited(number, KILLED, at(5, 9, is_past=is_past), 10.0 * number)
        script.time_passed(10.0 * number + 5)
        told = script.loaded(number + 1, 10.0 * number + 6)
        script.serving_began(number + 1, 10.0 * number + 6)
    is_odd = expected is None and kills >= KILLS_COUNTED
    wait_s = FIRST_WAIT_S if is_odd else 0.0
    assert told == [Tell(kills + 1, Serve(died_in=expected, is_after_crash=is_odd, wait_s=wait_s))]


def test_a_process_that_has_served_long_is_as_good_as_the_first() -> None:
    script, now = serving(), 0.0
    told: list[Command] = []
    for number in (1, 2):
        now += WELL_AFTER_S + 10.0
        script.exited(number, CRASHED, at(5, number), now)
        script.time_passed(now + 6)
        told = script.loaded(number + 1, now + 6)
        script.serving_began(number + 1, now + 6)
    assert told == [Tell(3, Serve(is_after_crash=True, wait_s=FIRST_WAIT_S))]


def test_what_a_process_does_not_retire_for_is_not_delivered_to_the_next() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    assert script.time_passed(1.0 + RETIRE_LIMIT_S + RETIRE_MARGIN_S) == [Kill(1)]
    told = script.exited(1, KILLED, at(5, 9), 20.0)
    assert told[-1] == Tell(2, Serve(died_in=Event(sid=5, seq=9)))


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_every_wait_has_a_limit() -> None:
    script = Script()
    script.start("v1", 0.0)
    assert script.next_moment() == LOAD_LIMIT_S
    assert script.time_passed(LOAD_LIMIT_S) == [Kill(1)]
    assert script.time_passed(LOAD_LIMIT_S + 1) == []
    assert notes(script.exited(1, KILLED, None, 30.0)) == ["version v1 has crashed: it was not loaded within 30 s"]
    script.loaded(2, 31.0)
    assert script.time_passed(31.0 + SERVE_LIMIT_S) == [Kill(2)]
    assert notes(script.exited(2, KILLED, None, 60.0)) == ["version v1 has crashed: it did not serve within 20 s"]


def test_a_process_that_does_not_retire_is_killed_and_the_next_one_serves() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    moment = 1.0 + RETIRE_LIMIT_S + RETIRE_MARGIN_S
    assert script.next_moment() == moment
    assert script.time_passed(moment) == [Kill(1)]
    assert without_notes(script.exited(1, KILLED, None, moment)) == [Tell(2, SERVE)]


def test_a_process_that_has_retired_and_does_not_end_is_killed() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    script.retired(1, 1.0)
    script.serving_began(2, 1.0)
    assert script.time_passed(1.0 + LINGER_S) == []
    assert script.time_passed(1.0 + LINGER_S + EXIT_MARGIN_S) == [Kill(1)]
    assert script.exited(1, KILLED, None, 5.0) == []
    assert script.state == "serving"


def test_of_processes_that_have_something_under_way_the_oldest_end_when_there_are_too_many() -> None:
    script, killed = serving(), list[int]()
    for number in range(2, MOST_LINGERING + 4):
        script.deploy(number, f"v{number}", 0.0)
        script.loaded(number, 1.0)
        for one in script.retired(number - 1, 1.0):
            if isinstance(one, Kill):
                killed.append(one.number)
                script.exited(one.number, KILLED, None, 1.0)
        script.serving_began(number, 1.0)
    assert killed == [1, 2]


def test_what_is_under_way_has_less_time_where_all_ends() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.loaded(2, 1.0)
    script.retired(1, 1.0)
    script.serving_began(2, 1.0)
    assert script.stop(2.0) == [Tell(2, WIND_DOWN)]
    assert script.next_moment() == 2.0 + EXIT_LIMIT_S


def test_a_script_that_is_no_more_has_its_process_told_so() -> None:
    script = serving()
    (tell,) = script.stop(1.0, is_last=True)
    assert isinstance(tell, Tell)
    assert isinstance(tell.message, Retire)
    assert tell.message.is_last


def test_a_process_that_closes_its_link_is_given_a_moment_to_end() -> None:
    script = serving()
    assert script.link_ended(1, "", 0.0) == []
    assert script.time_passed(EXIT_LIMIT_S) == [Kill(1)]
    assert notes(script.exited(1, KILLED, None, 4.0)) == ["version v1 has crashed: it has closed its link to the host"]


def test_a_process_that_breaks_the_protocol_is_killed_at_once() -> None:
    assert serving().link_ended(1, "a line holds no message", 0.0) == [Kill(1)]


# --- Another host before this one, and the end ------------------------------------------------------------------------


def test_a_successor_loads_and_waits_for_leave() -> None:
    script = Script(may_serve=False)
    script.start("v1", 0.0)
    before = script.is_settled
    assert script.loaded(1, 1.0) == []
    assert (before, script.is_settled) == (False, True)
    assert script.next_moment() is None
    assert script.allow_serving(100.0) == [Tell(1, SERVE)]


def test_leave_that_comes_while_it_loads_is_remembered() -> None:
    script = Script(may_serve=False)
    script.start("v1", 0.0)
    assert script.allow_serving(1.0) == []
    assert script.loaded(1, 2.0) == [Tell(1, SERVE)]


def test_a_stop_is_orderly_for_what_serves_and_at_once_for_what_does_not() -> None:
    script = serving()
    script.deploy(7, "v2", 0.0)
    script.deploy(8, "v3", 0.0)
    assert without_notes(script.stop(1.0, reason="ending")) == [
        Conclude(7, "ending"), Conclude(8, "ending"), Tell(1, WIND_DOWN), Kill(2),
    ]  # fmt: skip
    assert script.exited(2, KILLED, None, 1.0) == []
    assert script.retired(1, 2.0) == []
    before = script.is_over
    assert script.exited(1, "status 0", None, 2.0) == []
    assert (before, script.is_over) == (False, True)
    assert script.stop(3.0) == []
    assert [type(command) for command in script.deploy(9, "v4", 3.0)] == [Conclude]


def test_what_is_stopped_is_not_started_again() -> None:
    script = serving()
    script.stop(0.0)
    assert without_notes(script.exited(1, KILLED, None, 1.0)) == []
    waiting = serving()
    waiting.exited(1, KILLED, None, 0.0)
    waiting.exited(2, KILLED, None, 0.0)
    waiting.stop(0.0)
    assert waiting.is_over
    assert waiting.next_moment() is None


def test_one_that_crashes_and_serves_again_is_replaced_by_what_loads_beside_it_all_the_same() -> None:
    script = serving()
    assert script.deploy(7, "v2", 0.0) == [Spawn(2, "v2")]
    assert without_notes(script.exited(1, CRASHED, None, 1.0)) == [Spawn(3, "v1")]
    script.deploy(8, "v3", 1.0)
    script.loaded(3, 1.0)
    assert script.serving_began(3, 1.0) == []
    assert script.loaded(2, 2.0) == [Tell(3, RETIRE)]
    assert without_notes(script.retired(3, 2.0)) == [Tell(2, SERVE)]
    assert without_notes(script.serving_began(2, 2.0)) == [Activate("v2"), Conclude(7), Spawn(4, "v3")]


# --- Laws -------------------------------------------------------------------------------------------------------------

# One that serves, one that is to, those that have something under way, and the one that is killed for being too many.
MOST_LIVING = 2 + MOST_LINGERING + 1
_STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.floats(0.0, 8.0)), max_size=60)


class _World:
    """A host that does what it is told, with processes that do anything that processes can."""

    def __init__(self) -> None:
        self.script, self.now, self.tickets = Script(), 0.0, 0
        self.living: dict[int, str] = {}
        self.killed = list[int]()
        self.asked, self.concluded = set[int](), list[int]()

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Spawn():
                    assert command.number not in self.living
                    self.living[command.number] = "loading"
                case Tell(number, Serve()):
                    # The law that matters: nobody else may have the objects.
                    assert not [one for one, state in self.living.items() if state == "has objects" and one != number]
                    self.living[number] = "has objects"
                case Kill():
                    self.killed.append(command.number)
                case Conclude():
                    self.concluded.append(command.ticket)
                case _:
                    pass
        assert len(self.living) <= MOST_LIVING, self.living

    def bury(self) -> None:
        """Nothing survives being killed."""
        while self.killed:
            if self.living.pop(killed := self.killed.pop(), None):
                self.obey(self.script.exited(killed, KILLED, None, self.now))

    def step(self, what: int, which: int) -> None:
        self.bury()
        script = self.script
        numbers = sorted(self.living)
        number = numbers[which % len(numbers)] if numbers else 0
        match what:
            case 0 | 1:
                self.tickets += 1
                self.asked.add(self.tickets)
                self.obey(script.deploy(self.tickets, f"v{which}", self.now))
            case 2 | 3:
                self.obey(script.loaded(number, self.now))
            case 4:
                self.obey(script.serving_began(number, self.now))
            case 5:
                if self.living.get(number) == "has objects":
                    self.living[number] = "gone"
                    self.obey(script.retired(number, self.now))
                    self.living[number] = "gone"
            case 6 | 7:
                if self.living.pop(number, None):
                    self.obey(script.exited(number, KILLED, at(1, which), self.now))
            case 8:
                self.obey(script.load_failed(number, "no", "", self.now))
            case _:
                self.obey(script.limit_hit(number, "too much"))
        self.obey(script.time_passed(self.now))


@settings(max_examples=300)
@given(_STEPS)
def test_never_are_two_told_to_serve_and_every_question_has_one_answer(steps: list[tuple[int, int, float]]) -> None:
    world = _World()
    for what, which, wait_s in steps:
        world.now += wait_s
        # Whoever says so has been told to.
        if what == 5 and world.script.state != "retiring":
            continue
        world.step(what, which)
    world.obey(world.script.stop(world.now))
    for number in sorted(world.living):
        world.living.pop(number)
        world.obey(world.script.exited(number, KILLED, None, world.now))
    assert world.script.is_over
    assert sorted(world.concluded) == sorted(world.asked)
