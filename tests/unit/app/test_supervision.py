"""What a supervisor does: transcripts of events in and commands out, with the time as an argument."""

from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.app.supervision import (
    Announce,
    ChildLimits,
    CloseListeners,
    Command,
    Finish,
    Record,
    Send,
    Start,
    Supervision,
)

EDGE, CONTROL = "edge", "control"
START_LIMIT_S, STOP_LIMIT_S = 60.0, 10.0


def of(*names: str) -> Supervision:
    return Supervision(
        [ChildLimits(name=name, start_limit_s=START_LIMIT_S, stop_limit_s=STOP_LIMIT_S) for name in names]
    )


def running(*names: str) -> Supervision:
    """All of them ready at 0."""
    supervision = of(*names)
    supervision.begin(0.0)
    for pid, name in enumerate(names, 100):
        supervision.child_started(name, pid)
        supervision.child_ready(name, (), 0.0)
    return supervision


def records(commands: list[Command]) -> list[Record]:
    return [command for command in commands if isinstance(command, Record)]


def deeds(commands: list[Command]) -> list[Command]:
    """All but the records."""
    return [command for command in commands if not isinstance(command, Record)]


def test_all_children_are_started_and_announced_when_each_is_ready() -> None:
    supervision = of(EDGE, CONTROL)
    assert supervision.begin(0.0) == [Start(EDGE), Start(CONTROL)]
    supervision.child_started(EDGE, 7)
    assert supervision.child_ready(EDGE, ("ready: a",), 0.25) == [
        Record("child_started", {"child": EDGE, "pid": 7, "restarts": 0, "took_ms": 250}),
        Announce(("ready: a",)),
    ]
    assert supervision.child_ready(EDGE, ("ready: a",), 0.5) == []


def test_a_child_that_dies_is_started_again_at_once_and_not_announced_again() -> None:
    supervision = running(EDGE)
    assert supervision.child_exited(EDGE, -9, 1.0) == [
        Record("child_exited", {"child": EDGE, "pid": 100, "signal": "SIGKILL", "restart_in_ms": 0}),
        Start(EDGE),
    ]
    supervision.child_started(EDGE, 101)
    assert supervision.child_ready(EDGE, ("ready: a",), 1.5) == [
        Record("child_started", {"child": EDGE, "pid": 101, "restarts": 1, "took_ms": 500})
    ]


def test_a_child_that_dies_again_waits_for_its_time() -> None:
    supervision = running(EDGE)
    supervision.child_exited(EDGE, 1, 1.0)
    supervision.child_failed(EDGE, "the database is gone")
    (record,) = supervision.child_exited(EDGE, 1, 2.0)
    assert isinstance(record, Record)
    assert record.fields["reason"] == "the database is gone"
    assert record.fields["restart_in_ms"] == 100
    assert supervision.next_moment() == pytest.approx(2.1)
    assert supervision.time_passed(2.05) == []
    assert supervision.time_passed(2.1) == [Start(EDGE)]


@pytest.mark.parametrize("status", [0, 1, 3, -11, -40])
def test_a_first_start_that_crashes_is_tried_again(status: int) -> None:
    supervision = of(EDGE)
    supervision.begin(0.0)
    assert deeds(supervision.child_exited(EDGE, status, 0.1)) == [Start(EDGE)]


def test_a_first_start_without_a_process_ends_all_and_starts_nobody_else() -> None:
    supervision = of(EDGE, CONTROL)
    supervision.begin(0.0)
    assert supervision.child_not_started(EDGE, "no such file", 0.1) == [
        CloseListeners(),
        Finish(1, f"the {EDGE} cannot be started: no such file"),
    ]
    supervision = of(EDGE, CONTROL)
    supervision.begin(0.0)
    supervision.child_started(EDGE, 7)
    assert supervision.child_not_started(CONTROL, "no such file", 0.1) == [CloseListeners(), Send(EDGE, SIGTERM)]
    assert supervision.is_ending
    assert deeds(supervision.child_exited(EDGE, 0, 0.2)) == [
        Finish(1, f"the {CONTROL} cannot be started: no such file")
    ]


def test_a_later_start_without_a_process_is_tried_again() -> None:
    supervision = running(EDGE)
    supervision.child_exited(EDGE, 1, 1.0)
    (record,) = supervision.child_not_started(EDGE, "no memory", 1.1)
    assert isinstance(record, Record)
    assert record.fields["reason"] == "it cannot be started: no memory"
    assert supervision.next_moment() is not None


def test_a_first_start_that_finds_its_configuration_wrong_ends_all_with_its_sentence() -> None:
    supervision = of(EDGE, CONTROL)
    supervision.begin(0.0)
    supervision.child_failed(EDGE, "cannot read no.pem")
    assert supervision.child_exited(EDGE, 2, 0.1) == [CloseListeners(), Send(CONTROL, SIGTERM)]
    assert deeds(supervision.child_exited(CONTROL, 0, 0.2)) == [Finish(2, "cannot read no.pem")]


def test_a_restart_that_finds_its_configuration_wrong_ends_nothing() -> None:
    supervision = running(EDGE)
    supervision.child_exited(EDGE, -9, 1.0)
    supervision.child_failed(EDGE, "cannot read no.pem")
    (record,) = supervision.child_exited(EDGE, 2, 2.0)
    assert isinstance(record, Record)
    assert (record.fields["status"], record.fields["reason"]) == (2, "cannot read no.pem")


def test_children_are_stopped_in_their_order_each_after_the_one_before() -> None:
    supervision = running(EDGE, CONTROL)
    assert supervision.end_asked(SIGTERM, 1.0) == [CloseListeners(), Send(EDGE, SIGTERM)]
    assert deeds(supervision.child_exited(EDGE, 0, 2.0)) == [Send(CONTROL, SIGTERM)]
    assert deeds(supervision.child_exited(CONTROL, 0, 3.0)) == [Finish(0)]


def test_a_child_that_dies_while_another_is_stopped_is_not_started_again() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.end_asked(SIGTERM, 1.0)
    assert deeds(supervision.child_exited(CONTROL, -9, 1.5)) == []
    assert deeds(supervision.child_exited(EDGE, 0, 2.0)) == [Finish(0)]


def test_a_child_that_waits_for_its_restart_is_not_waited_for() -> None:
    supervision = running(EDGE)
    supervision.child_exited(EDGE, 1, 1.0)
    supervision.child_exited(EDGE, 1, 1.1)
    assert supervision.end_asked(SIGTERM, 1.15) == [CloseListeners(), Finish(0)]
    assert supervision.next_moment() is None


def test_a_child_that_does_not_stop_in_time_is_killed() -> None:
    supervision = running(EDGE)
    supervision.end_asked(SIGINT, 1.0)
    assert supervision.next_moment() == 1.0 + STOP_LIMIT_S
    assert supervision.time_passed(1.0 + STOP_LIMIT_S) == [Send(EDGE, SIGKILL)]
    assert deeds(supervision.child_exited(EDGE, -9, 12.0)) == [Finish(0)]


def test_a_start_that_takes_too_long_is_killed_and_tried_again() -> None:
    supervision = of(EDGE)
    supervision.begin(0.0)
    assert supervision.time_passed(START_LIMIT_S) == [Send(EDGE, SIGKILL)]
    assert supervision.next_moment() is None
    assert deeds(supervision.child_exited(EDGE, -9, START_LIMIT_S)) == [Start(EDGE)]


def test_a_second_signal_kills_all_that_live_and_is_what_the_supervisor_ends_by() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.end_asked(SIGTERM, 1.0)
    assert supervision.end_asked(SIGINT, 1.1) == [Send(EDGE, SIGKILL), Send(CONTROL, SIGKILL)]
    supervision.child_exited(CONTROL, -9, 1.2)
    assert deeds(supervision.child_exited(EDGE, -9, 1.2)) == [Finish(0, by_signal=SIGINT)]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens, in whatever order: no child is started twice, and an end that was asked for comes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.live: set[str] = set()
        self.signalled: set[str] = set()
        self.finish: Finish | None = None
        self.asked = 0
        self.supervision = of(EDGE, CONTROL)
        self.obey(self.supervision.begin(self.now))

    def obey(self, commands: list[Command]) -> None:
        assert self.finish is None or not deeds(commands)
        for command in commands:
            match command:
                case Start(name):
                    assert name not in self.live, "started twice"
                    assert not self.asked, "started after the end was asked for"
                    self.live.add(name)
                    self.supervision.child_started(name, 1)
                case Send(name):
                    assert name in self.live
                    self.signalled.add(name)
                case Finish():
                    self.finish = command
                case Announce() | CloseListeners() | Record():
                    pass

    @rule(passed=st.floats(0, 100))
    def time_passes(self, passed: float) -> None:
        self.now += passed
        self.obey(self.supervision.time_passed(self.now))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def is_ready(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        self.obey(self.supervision.child_ready(name, ("line",), self.now))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), status=st.sampled_from([0, 1, -9, -15]))
    def exits(self, data: st.DataObject, status: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        self.live.discard(name)
        self.signalled.discard(name)
        self.obey(self.supervision.child_exited(name, status, self.now))

    @precondition(lambda self: self.finish is None)
    @rule()
    def end_is_asked(self) -> None:
        self.asked += 1
        self.obey(self.supervision.end_asked(SIGTERM, self.now))

    @invariant()
    def an_end_comes_exactly_when_none_lives(self) -> None:
        if self.asked:
            assert (self.finish is not None) == (not self.live)
            assert self.finish or self.signalled, "somebody must have been told to end"

    @invariant()
    def a_child_that_does_not_live_has_a_moment_to_start(self) -> None:
        if not self.asked and self.live != {EDGE, CONTROL}:
            assert self.supervision.next_moment() is not None


TestAnyHistory = AnyHistory.TestCase
