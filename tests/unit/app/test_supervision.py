"""What a supervisor does: transcripts of events in and commands out, with the time as an argument."""

from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.app.commands import (
    Announce,
    CloseListeners,
    Command,
    Conclude,
    Finish,
    Notify,
    Record,
    Say,
    Send,
    Start,
    Tell,
)
from holdfast.app.releasing import ReleasePlan
from holdfast.app.supervision import EXTEND_EVERY_S, HURRIED_CLOSING_S, Supervision
from holdfast.app.words import CLOSING_LIMIT_S, Draining, Retire, Stop
from tests.unit.app.supervised import CONTROL, EDGE, PLAN, START_LIMIT_S, STOP_LIMIT_S, deeds, of, running

# The numbers of the first children.
FIRST, SECOND = 1, 2
DRAINED = PLAN.retire("drain")
HURRIED = Retire(why="drain", deadline_s=0.0, spread_s=0.0, order="oldest", closing_limit_s=HURRIED_CLOSING_S)


def test_all_children_are_started_and_announced_when_each_is_ready() -> None:
    supervision = of(EDGE, CONTROL)
    assert supervision.begin(0.0) == [Start(FIRST, EDGE), Start(SECOND, CONTROL)]
    assert supervision.child_started(FIRST, 7) == []
    assert supervision.child_ready(FIRST, ("ready: a",), 0.25) == [
        Record("child_started", {"child": EDGE, "pid": 7, "restarts": 0, "took_ms": 250}),
        Announce(("ready: a",)),
        Notify(("READY=1", "STATUS=Serving")),
    ]
    assert supervision.child_ready(FIRST, ("ready: a",), 0.5) == []
    supervision.child_started(SECOND, 8)
    assert deeds(supervision.child_ready(SECOND, ("ready: b",), 0.5)) == [Announce(("ready: b",))]


def test_a_child_that_dies_is_started_again_at_once_and_not_announced_again() -> None:
    supervision = running(EDGE)
    assert supervision.child_exited(FIRST, -9, 1.0) == [
        Record("child_exited", {"child": EDGE, "pid": 101, "signal": "SIGKILL", "restart_in_ms": 0}),
        Start(FIRST, EDGE),
    ]
    supervision.child_started(FIRST, 102)
    assert supervision.child_ready(FIRST, ("ready: a",), 1.5) == [
        Record("child_started", {"child": EDGE, "pid": 102, "restarts": 1, "took_ms": 500})
    ]


def test_a_child_that_dies_again_waits_for_its_time() -> None:
    supervision = running(EDGE)
    supervision.child_exited(FIRST, 1, 1.0)
    supervision.child_failed(FIRST, "the database is gone")
    (record,) = supervision.child_exited(FIRST, 1, 2.0)
    assert isinstance(record, Record)
    assert record.fields["reason"] == "the database is gone"
    assert record.fields["restart_in_ms"] == 100
    assert supervision.next_moment() == pytest.approx(2.1)
    assert supervision.time_passed(2.05) == []
    assert supervision.time_passed(2.1) == [Start(FIRST, EDGE)]


@pytest.mark.parametrize("status", [0, 1, 3, -11, -40])
def test_a_first_start_that_crashes_is_tried_again(status: int) -> None:
    supervision = of(EDGE)
    supervision.begin(0.0)
    assert deeds(supervision.child_exited(FIRST, status, 0.1)) == [Start(FIRST, EDGE)]


def test_a_first_start_without_a_process_ends_all_and_starts_nobody_else() -> None:
    supervision = of(EDGE, CONTROL)
    supervision.begin(0.0)
    commands = deeds(supervision.child_not_started(FIRST, "no such file", 0.1))
    assert commands[-1] == Finish(1, f"the {EDGE} cannot be started: no such file")
    assert not supervision.is_to_be_started(SECOND)
    supervision = of(EDGE, CONTROL)
    supervision.begin(0.0)
    supervision.child_started(FIRST, 7)
    assert deeds(supervision.child_not_started(SECOND, "no such file", 0.1)) == [
        CloseListeners(EDGE),
        CloseListeners(CONTROL),
        Tell(FIRST, Stop()),
    ]
    assert deeds(supervision.child_exited(FIRST, 0, 0.2)) == [
        Finish(1, f"the {CONTROL} cannot be started: no such file")
    ]


def test_a_later_start_without_a_process_is_tried_again() -> None:
    supervision = running(EDGE)
    supervision.child_exited(FIRST, 1, 1.0)
    (record,) = supervision.child_not_started(FIRST, "no memory", 1.1)
    assert isinstance(record, Record)
    assert record.fields["reason"] == "it cannot be started: no memory"
    assert supervision.next_moment() is not None


def test_a_first_start_that_finds_its_configuration_wrong_ends_all_with_its_sentence() -> None:
    supervision = of(EDGE, CONTROL)
    supervision.begin(0.0)
    supervision.child_failed(FIRST, "cannot read no.pem")
    assert deeds(supervision.child_exited(FIRST, 2, 0.1))[-1] == Tell(SECOND, Stop())
    assert deeds(supervision.child_exited(SECOND, 0, 0.2)) == [Finish(2, "cannot read no.pem")]


def test_a_restart_that_finds_its_configuration_wrong_ends_nothing() -> None:
    supervision = running(EDGE)
    supervision.child_exited(FIRST, -9, 1.0)
    supervision.child_failed(FIRST, "cannot read no.pem")
    (record,) = supervision.child_exited(FIRST, 2, 2.0)
    assert isinstance(record, Record)
    assert (record.fields["status"], record.fields["reason"]) == (2, "cannot read no.pem")


def test_a_start_that_takes_too_long_is_killed_and_tried_again() -> None:
    supervision = of(EDGE)
    supervision.begin(0.0)
    assert supervision.time_passed(START_LIMIT_S) == [Send(FIRST, SIGKILL)]
    assert supervision.next_moment() is None
    record, start = supervision.child_exited(FIRST, -9, START_LIMIT_S)
    assert isinstance(record, Record)
    assert record.fields["reason"] == "it was not ready within 60 s"
    assert start == Start(FIRST, EDGE)


# --- A stop: SIGINT, and what goes wrong ----------------------------------------------------------------------------


def test_children_are_stopped_in_their_order_each_after_the_one_before() -> None:
    supervision = running(EDGE, CONTROL)
    assert supervision.end_asked(SIGINT, 1.0) == [
        CloseListeners(EDGE),
        CloseListeners(CONTROL),
        Notify(("STOPPING=1", "STATUS=Stopping")),
        Tell(FIRST, Stop()),
    ]
    assert deeds(supervision.child_exited(FIRST, 0, 2.0)) == [Tell(SECOND, Stop())]
    assert deeds(supervision.child_exited(SECOND, 0, 3.0)) == [Finish(0)]


def test_a_child_that_dies_while_another_is_stopped_is_not_started_again() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.end_asked(SIGINT, 1.0)
    assert deeds(supervision.child_exited(SECOND, -9, 1.5)) == []
    assert deeds(supervision.child_exited(FIRST, 0, 2.0)) == [Finish(0)]


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_a_child_that_waits_for_its_restart_is_not_waited_for(number: int) -> None:
    supervision = running(EDGE)
    supervision.child_exited(FIRST, 1, 1.0)
    supervision.child_exited(FIRST, 1, 1.1)
    assert supervision.end_asked(SIGTERM if number == SIGTERM else SIGINT, 1.15)[-1] == Finish(0)
    assert supervision.next_moment() is None


def test_a_child_that_does_not_stop_in_time_is_killed() -> None:
    supervision = running(EDGE)
    supervision.end_asked(SIGINT, 1.0)
    assert deeds(supervision.time_passed(1.0 + STOP_LIMIT_S)) == [Send(FIRST, SIGKILL)]
    assert deeds(supervision.child_exited(FIRST, -9, 12.0)) == [Finish(0)]


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_a_second_signal_kills_what_is_being_stopped_and_is_what_the_supervisor_ends_by(number: int) -> None:
    supervision = running(EDGE, CONTROL)
    supervision.end_asked(SIGINT, 1.0)
    by = SIGTERM if number == SIGTERM else SIGINT
    assert supervision.end_asked(by, 1.1) == [Send(FIRST, SIGKILL), Send(SECOND, SIGKILL)]
    supervision.child_exited(SECOND, -9, 1.2)
    assert deeds(supervision.child_exited(FIRST, -9, 1.2)) == [Finish(0, by_signal=by)]


# --- A drain: SIGTERM, or somebody asks -----------------------------------------------------------------------------


def test_a_drain_lets_the_edge_retire_and_keeps_control_until_it_has_ended() -> None:
    supervision = running(EDGE, CONTROL)
    assert supervision.end_asked(SIGTERM, 1.0) == [
        CloseListeners(EDGE),
        Record("drain_started", {"for_at_most_s": round(PLAN.deadline_s + PLAN.spread_s)}),
        Notify(("STOPPING=1", "STATUS=Draining")),
        Tell(FIRST, DRAINED),
        Tell(SECOND, Draining()),
    ]
    assert supervision.child_retiring(FIRST, 3, 1.1) == [
        Record("edge_retiring", {"pid": 101, "connections": 3, "for_at_most_s": 3660}),
        Notify(("STATUS=Draining, 3 connections left",)),
    ]
    ending = deeds(supervision.child_exited(FIRST, 0, 50.0))
    assert ending == [CloseListeners(EDGE), CloseListeners(CONTROL), Tell(SECOND, Stop())]
    assert deeds(supervision.child_exited(SECOND, 0, 51.0)) == [Finish(0)]


def test_control_that_dies_while_the_edge_drains_is_started_again_and_told() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.end_asked(SIGTERM, 1.0)
    assert deeds(supervision.child_exited(SECOND, -9, 2.0)) == [Start(SECOND, CONTROL)]
    assert supervision.child_started(SECOND, 200) == [Tell(SECOND, Draining())]


def test_an_edge_that_dies_while_it_drains_is_not_started_again() -> None:
    supervision = running(EDGE)
    supervision.end_asked(SIGTERM, 1.0)
    assert deeds(supervision.child_exited(FIRST, -11, 2.0))[-1] == Finish(0)


def test_an_edge_that_has_no_clients_yet_is_stopped_by_a_drain() -> None:
    supervision = of(EDGE)
    supervision.begin(0.0)
    supervision.child_started(FIRST, 7)
    assert deeds(supervision.end_asked(SIGTERM, 1.0))[-1] == Tell(FIRST, Stop())


def test_a_draining_edge_is_killed_after_all_its_limits_and_no_sooner() -> None:
    supervision = running(EDGE)
    supervision.end_asked(SIGTERM, 1.0)
    supervision.child_retiring(FIRST, 1, 1.1)
    last = 1.0 + PLAN.deadline_s + PLAN.spread_s + CLOSING_LIMIT_S + STOP_LIMIT_S
    assert Send(FIRST, SIGKILL) not in supervision.time_passed(last - 0.1)
    assert Send(FIRST, SIGKILL) in supervision.time_passed(last)


@pytest.mark.parametrize("second", [SIGTERM, SIGINT])
def test_each_further_signal_is_harder(second: int) -> None:
    supervision = running(EDGE, CONTROL)
    supervision.end_asked(SIGTERM, 1.0)
    assert supervision.end_asked(SIGTERM if second == SIGTERM else SIGINT, 2.0) == [Tell(FIRST, HURRIED)]
    assert supervision.next_moment() == pytest.approx(1.0 + EXTEND_EVERY_S)
    assert supervision.end_asked(SIGTERM, 3.0)[-2:] == [Send(FIRST, SIGKILL), Send(SECOND, SIGKILL)]
    assert deeds(supervision.child_exited(SECOND, -9, 3.1)) == []
    assert deeds(supervision.child_exited(FIRST, -9, 3.1))[-1] == Finish(0, by_signal=SIGTERM)


def test_sigterm_means_the_drain_that_was_asked_for_already_and_sigint_does_not() -> None:
    supervision = running(EDGE)
    supervision.drain_asked(1, 1.0)
    assert supervision.end_asked(SIGTERM, 1.5) == []
    assert supervision.end_asked(SIGTERM, 2.0) == [Tell(FIRST, HURRIED)]
    supervision = running(EDGE)
    supervision.drain_asked(1, 1.0)
    assert supervision.end_asked(SIGINT, 2.0) == [Tell(FIRST, HURRIED)]


def test_whoever_asks_for_a_drain_hears_how_it_goes_and_its_end() -> None:
    supervision = running(EDGE)
    assert supervision.drain_asked(5, 1.0)[0] == Say(5, "no new clients are taken any more")
    assert supervision.drain_asked(6, 1.0) == [Say(6, "it is ending already")]
    said = supervision.child_retiring(FIRST, 1, 1.1)
    until = 1.0 + PLAN.deadline_s + PLAN.spread_s
    assert [one for one in said if isinstance(one, Say)] == [
        Say(ticket, "edge 101 keeps 1 connection", until) for ticket in (5, 6)
    ]
    assert supervision.child_retiring(FIRST, 0, 2.0)[-1] == Notify(("STATUS=Draining, 0 connections left",))
    assert supervision.child_exited(FIRST, 0, 3.0)[-3:] == [Conclude(5), Conclude(6), Finish(0)]


def test_a_service_manager_is_asked_for_more_time_until_the_end() -> None:
    supervision = running(EDGE)
    assert supervision.next_moment() is None
    supervision.end_asked(SIGTERM, 1.0)
    for turn in (1, 2):
        now = 1.0 + turn * EXTEND_EVERY_S
        assert supervision.next_moment() == now
        assert supervision.time_passed(now) == [Notify(("EXTEND_TIMEOUT_USEC=30000000",))]


def test_nothing_is_released_while_all_ends() -> None:
    supervision = running(EDGE)
    supervision.end_asked(SIGTERM, 1.0)
    assert supervision.release_asked(9, "", 1.1) == [Conclude(9, "it is ending, and starts nothing any more")]
    assert supervision.release_asked(None, "", 1.1) == []


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens, in whatever order: no child is started twice, a role that is wanted has a child that lives or is due,
    every question is answered once, and an end that was asked for comes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.live: dict[int, str] = {}
        self.told: set[int] = set()
        self.finish: Finish | None = None
        self.signals = 0
        self.is_drained = False
        self.asked: set[int] = set()
        self.concluded: set[int] = set()
        self.supervision = Supervision(
            [*of(EDGE, CONTROL)._family.roles], ReleasePlan(deadline_s=30.0, spread_s=5.0, order="oldest")
        )
        self.obey(self.supervision.begin(self.now))

    @property
    def is_ending(self) -> bool:
        return bool(self.signals) or self.is_drained

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            assert self.finish is None, "nothing after the end"
            match command:
                case Start(number, role):
                    assert number not in self.live, "started twice"
                    assert not self.is_ending or role == CONTROL, "an edge was started after the end was asked for"
                    self.live[number] = role
                    self.obey(self.supervision.child_started(number, number + 100))
                case Send(number) | Tell(number):
                    assert number in self.live
                    if not isinstance(command, Tell) or not isinstance(command.word, Draining):
                        self.told.add(number)
                case Conclude(ticket):
                    assert ticket in self.asked - self.concluded
                    self.concluded.add(ticket)
                case Say(ticket):
                    assert ticket in self.asked - self.concluded
                case Finish():
                    self.finish = command
                case Announce() | CloseListeners() | Record() | Notify():
                    pass

    @rule(passed=st.floats(0, 100))
    def time_passes(self, passed: float) -> None:
        self.now += passed
        self.obey(self.supervision.time_passed(self.now))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def is_ready(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.live)))
        self.obey(self.supervision.child_ready(number, ("line",), self.now))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def retires(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.live)))
        self.obey(self.supervision.child_retiring(number, 3, self.now))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), status=st.sampled_from([0, 1, -9, -15]))
    def exits(self, data: st.DataObject, status: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.live)))
        del self.live[number]
        self.told.discard(number)
        self.obey(self.supervision.child_exited(number, status, self.now))

    @precondition(lambda self: self.finish is None)
    @rule(python=st.sampled_from(["", "/other/python"]))
    def release_is_asked(self, python: str) -> None:
        ticket = len(self.asked) + 1
        self.asked.add(ticket)
        self.obey(self.supervision.release_asked(ticket, python, self.now))

    @precondition(lambda self: self.finish is None)
    @rule(number=st.sampled_from([SIGTERM, SIGINT]))
    def end_is_asked(self, number: int) -> None:
        self.signals += 1
        self.obey(self.supervision.end_asked(SIGTERM if number == SIGTERM else SIGINT, self.now))

    @precondition(lambda self: self.finish is None)
    @rule()
    def drain_is_asked(self) -> None:
        ticket = len(self.asked) + 1
        self.asked.add(ticket)
        self.is_drained = True
        self.obey(self.supervision.drain_asked(ticket, self.now))

    @invariant()
    def an_end_comes_exactly_when_none_lives(self) -> None:
        if self.is_ending:
            is_over = not self.live and self.supervision.next_moment() is None
            assert (self.finish is not None) == is_over
            assert self.finish or self.told or EDGE not in self.live.values(), "somebody must have been told to end"

    @invariant()
    def everybody_who_asked_is_answered_at_the_end(self) -> None:
        if self.finish is not None:
            assert self.asked == self.concluded

    @invariant()
    def a_role_that_is_wanted_has_a_child_or_a_moment_to_start_one(self) -> None:
        if not self.is_ending and set(self.live.values()) != {EDGE, CONTROL}:
            assert self.supervision.next_moment() is not None

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        assert len(list(self.supervision._family)) <= len(self.live) + 3


TestAnyHistory = AnyHistory.TestCase
