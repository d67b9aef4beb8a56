"""Releases: transcripts of what happens to a supervisor's children, and what it does, with the time as an argument."""

from signal import SIGBUS, SIGKILL, SIGTERM

import pytest

from holdfast.app.commands import Command, Conclude, Notify, Record, Say, Send, Start, Tell
from holdfast.app.family import SILENT_LIMIT_S
from holdfast.app.releasing import HANDOVER_LIMIT_S, MOST_LEAVING, MOST_RETIRING, PREPARE_LIMIT_S
from holdfast.app.supervision import Supervision
from holdfast.app.words import Retire, Stop
from tests.unit.app.supervised import CONTROL, EDGE, PLAN, START_LIMIT_S, STOP_LIMIT_S, deeds, of, running

RETIRED = PLAN.retire("release")
TICKET = 7
# The numbers of children: the first two of `run`, and those that a release adds in turn.
OLD, OLD_CONTROL, NEW, NEW_CONTROL = 1, 2, 3, 4


def started(supervision: Supervision, number: int, now: float = 1.0) -> list[Command]:
    """The child is there, and ready at once; process 100 + its number."""
    supervision.child_started(number, 100 + number)
    return supervision.child_ready(number, (), now)


def released(supervision: Supervision, number: int, before: int, now: float = 1.0) -> None:
    """A release of an edge alone, to its end."""
    assert Start(number, EDGE, "", is_successor=True) in supervision.release_asked(None, "", now)
    started(supervision, number, now)
    supervision.child_retiring(before, 1, now)


def said(commands: list[Command]) -> list[str]:
    return [command.line for command in commands if isinstance(command, Say)]


def test_a_new_edge_is_started_beside_the_old_one_which_then_retires_and_control_follows() -> None:
    supervision = running(EDGE, CONTROL)
    assert supervision.release_asked(TICKET, "", 1.0) == [
        Record("release_started", {}),
        Notify(("RELOADING=1", "MONOTONIC_USEC=1000000", "STATUS=A release is under way")),
        Say(TICKET, "a new edge is being started"),
        Start(NEW, EDGE, "", is_successor=True),
    ]
    assert deeds(started(supervision, NEW, 1.5)) == [
        Say(TICKET, "edge 103 is ready after 500 ms"),
        Tell(OLD, RETIRED),
    ]
    assert deeds(supervision.child_retiring(OLD, 12, 1.6)) == [
        Say(TICKET, "edge 101 keeps 12 connections", 1.5 + PLAN.deadline_s + PLAN.spread_s),
        Start(NEW_CONTROL, CONTROL, "", is_successor=True),
    ]
    supervision.child_started(NEW_CONTROL, 104)
    # Only now, when the new one waits for nothing but its end.
    assert supervision.child_prepared(NEW_CONTROL, 1.9) == [Tell(OLD_CONTROL, Stop())]
    assert deeds(supervision.child_exited(OLD_CONTROL, 0, 2.0)) == []
    assert started(supervision, NEW_CONTROL, 3.0)[1:] == [
        Say(TICKET, "control 104 is ready after 1400 ms"),
        Record("release_done", {"pid": 103, "took_ms": 2000}),
        Conclude(TICKET),
        Notify(("READY=1", "STATUS=Serving")),
    ]
    (record,) = supervision.child_exited(OLD, 0, 100.0)
    assert record == Record("child_exited", {"child": EDGE, "pid": 101, "status": 0})


def test_an_edge_alone_is_released_when_the_old_one_says_that_it_retires() -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "", 1.0)
    started(supervision, 2)
    assert supervision.child_retiring(OLD, 0, 1.6)[-2] == Conclude(TICKET)


@pytest.mark.parametrize("status", [0, 1, 2, -9])
def test_a_successor_that_ends_before_it_is_ready_changes_nothing_and_says_why(status: int) -> None:
    supervision = running(EDGE, CONTROL)
    supervision.release_asked(TICKET, "/new/python", 1.0)
    supervision.child_started(NEW, 103)
    supervision.child_failed(NEW, "ImportError: no core")
    exited, rolled_back, concluded, notified = supervision.child_exited(NEW, status, 1.2)
    sentence = "the new edge did not become ready: ImportError: no core"
    assert isinstance(exited, Record)
    assert rolled_back == Record("release_rolled_back", {"child": EDGE, "reason": sentence})
    assert concluded == Conclude(TICKET, f"{sentence}; nothing has changed")
    assert notified == Notify(("READY=1", "STATUS=Serving"))
    # What is started again is what there was.
    assert deeds(supervision.child_exited(OLD, -9, 2.0)) == [Start(OLD, EDGE)]


@pytest.mark.parametrize(
    ("status", "printed", "reason"),
    [
        (1, "No module named 'holdfast'", "it ended with status 1: No module named 'holdfast'"),
        (1, "", "it ended with status 1"),
        (-SIGBUS, "", "it ended with signal SIGBUS (a file of its installation has been cut short)"),
    ],
)
def test_a_successor_that_cannot_speak_is_known_by_what_was_printed(status: int, printed: str, reason: str) -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "/new/python", 1.0)
    supervision.child_started(2, 102)
    supervision.child_printed(2, printed)
    (concluded,) = deeds(supervision.child_exited(2, status, 1.2))
    assert concluded == Conclude(TICKET, f"the new edge did not become ready: {reason}; nothing has changed")


def test_a_successor_that_is_not_ready_in_time_is_killed() -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "", 1.0)
    supervision.child_started(2, 102)
    assert supervision.time_passed(1.0 + START_LIMIT_S) == [Send(2, SIGKILL)]
    (concluded,) = deeds(supervision.child_exited(2, -9, 61.0))
    assert isinstance(concluded, Conclude)
    assert "it was not ready within 60 s" in concluded.sentence


def test_a_successor_that_cannot_be_started_is_a_sentence() -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "/no/python", 1.0)
    (concluded,) = deeds(supervision.child_not_started(2, "/no/python: no such file or directory", 1.1))
    assert isinstance(concluded, Conclude)
    assert "it cannot be started: /no/python: no such file or directory" in concluded.sentence


def test_another_interpreter_is_that_of_later_starts_too() -> None:
    supervision = running(EDGE)
    assert Start(2, EDGE, "/new/python", is_successor=True) in supervision.release_asked(None, "/new/python", 1.0)
    started(supervision, 2)
    supervision.child_retiring(OLD, 0, 1.1)
    assert deeds(supervision.child_exited(2, -9, 2.0)) == [Start(2, EDGE, "/new/python", is_successor=True)]
    assert Start(3, EDGE, "/new/python", is_successor=True) in supervision.release_asked(None, "", 3.0)


def test_an_interpreter_that_is_gone_is_followed_by_the_supervisors_own() -> None:
    supervision = running(EDGE)
    supervision.release_asked(None, "/new/python", 1.0)
    started(supervision, 2)
    supervision.child_retiring(OLD, 0, 1.1)
    supervision.child_exited(2, -9, 2.0)
    reason = "/new/python: no such file or directory"
    assert supervision.child_not_started(2, reason, 2.1) == [
        Record("supervisor_warning", {"reason": f"the edge is started by the supervisor's own interpreter: {reason}"}),
        Start(2, EDGE, "", is_successor=True),
    ]
    assert Start(3, EDGE, "", is_successor=True) in supervision.release_asked(None, "", 3.0)


# --- Deaths meanwhile -----------------------------------------------------------------------------------------------


def test_an_old_edge_that_dies_while_its_successor_starts_is_started_again() -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "", 1.0)
    supervision.child_started(2, 102)
    assert deeds(supervision.child_exited(OLD, -9, 1.1)) == [Start(OLD, EDGE, "", is_successor=True)]
    supervision.child_started(OLD, 200)
    # The successor is the first that is ready: the other has no clients.
    commands = deeds(supervision.child_ready(2, (), 1.2))
    assert Tell(OLD, Stop()) in commands
    assert commands[-1] == Conclude(TICKET)
    assert supervision.child_ready(OLD, (), 1.3) == []
    assert deeds(supervision.child_exited(OLD, 0, 1.4)) == []


def test_an_old_edge_that_dies_twice_waits_and_is_not_missed() -> None:
    supervision = running(EDGE)
    supervision.child_exited(OLD, 1, 1.0)
    supervision.child_exited(OLD, 1, 1.1)
    supervision.release_asked(TICKET, "", 1.15)
    assert deeds(started(supervision, 2, 1.2))[-1] == Conclude(TICKET)
    assert supervision.next_moment() is None


def test_a_retired_edge_that_dies_is_not_started_again_and_the_active_one_is() -> None:
    supervision = running(EDGE)
    released(supervision, 2, OLD)
    assert deeds(supervision.child_exited(OLD, -11, 2.0)) == []
    assert deeds(supervision.child_exited(2, -11, 2.0)) == [Start(2, EDGE)]


def test_an_old_edge_that_dies_while_it_is_told_to_retire_holds_nothing_up() -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "", 1.0)
    started(supervision, 2)
    record, done, concluded, _ = supervision.child_exited(OLD, -9, 1.1)
    lost = "the edge is replaced, but the one before died with its connections: it ended with signal SIGKILL"
    assert record == Record("child_exited", {"child": EDGE, "pid": 101, "signal": "SIGKILL"})
    assert done == Record("release_done", {"pid": 102, "took_ms": 100, "reason": lost})
    assert concluded == Conclude(TICKET, lost)


@pytest.mark.parametrize(("status", "is_lost"), [(0, False), (1, True), (-9, True)])
def test_an_old_edge_that_dies_while_control_is_replaced_is_said_at_the_end(status: int, is_lost: bool) -> None:
    supervision = with_a_new_edge("")
    assert deeds(supervision.child_exited(OLD, status, 1.25)) == []
    (concluded,) = (one for one in started(supervision, NEW_CONTROL, 1.3) if isinstance(one, Conclude))
    assert ("died with its connections" in concluded.sentence) == is_lost


def test_an_old_edge_that_does_not_answer_holds_nothing_up() -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "", 1.0)
    started(supervision, 2, 1.5)
    assert supervision.next_moment() == 1.5 + HANDOVER_LIMIT_S
    commands = supervision.time_passed(1.5 + HANDOVER_LIMIT_S)
    assert said(commands) == ["edge 101 has not said that it retires"]
    assert Conclude(TICKET) in commands


@pytest.mark.parametrize("speaks", [True, False])
def test_an_old_edge_that_never_says_that_it_retires_is_killed_long_before_the_deadline(speaks: bool) -> None:
    supervision = running(EDGE)
    supervision.release_asked(TICKET, "", 1.0)
    started(supervision, 2, 1.5)
    if speaks:
        supervision.child_retiring(OLD, 5, 60.0)
    killed = deeds(supervision.time_passed(1.5 + SILENT_LIMIT_S))
    assert (Send(OLD, SIGKILL) in killed) is not speaks
    if speaks:
        assert supervision.next_moment() == 1.5 + RETIRED.longest_s + STOP_LIMIT_S


# --- Control --------------------------------------------------------------------------------------------------------


def with_a_new_edge(python: str) -> Supervision:
    """A release whose edge is done: control has been told to stop, and has."""
    supervision = running(EDGE, CONTROL)
    supervision.release_asked(TICKET, python, 1.0)
    started(supervision, NEW)
    supervision.child_retiring(OLD, 0, 1.1)
    supervision.child_started(NEW_CONTROL, 104)
    assert supervision.child_prepared(NEW_CONTROL, 1.2) == [Tell(OLD_CONTROL, Stop())]
    assert deeds(supervision.child_exited(OLD_CONTROL, 0, 1.2)) == []
    return supervision


def with_a_control_that_loads() -> Supervision:
    """A release whose edge is done: a new control loads beside the old one."""
    supervision = running(EDGE, CONTROL)
    supervision.release_asked(TICKET, "", 1.0)
    started(supervision, NEW)
    supervision.child_retiring(OLD, 0, 1.1)
    supervision.child_started(NEW_CONTROL, 104)
    return supervision


def test_control_that_cannot_load_is_gone_and_the_old_one_goes_on() -> None:
    supervision = with_a_control_that_loads()
    supervision.child_failed(NEW_CONTROL, "SyntaxError: invalid syntax")
    sentence = "the edge is replaced, but the new control did not become ready: SyntaxError: invalid syntax"
    assert deeds(supervision.child_exited(NEW_CONTROL, 1, 1.3)) == [
        Conclude(TICKET, f"{sentence}; the one before goes on")
    ]
    assert deeds(supervision.child_exited(OLD_CONTROL, -9, 2.0)) == [Start(OLD_CONTROL, CONTROL)]


def test_control_that_loads_for_too_long_is_killed_and_the_old_one_goes_on() -> None:
    supervision = with_a_control_that_loads()
    assert supervision.next_moment() == min(1.1 + PREPARE_LIMIT_S, 1.1 + START_LIMIT_S)
    assert Send(NEW_CONTROL, SIGKILL) in supervision.time_passed(1.1 + PREPARE_LIMIT_S)
    (concluded,) = deeds(supervision.child_exited(NEW_CONTROL, -9, 62.0))
    assert isinstance(concluded, Conclude)
    assert concluded.sentence.endswith(" within 60 s; the one before goes on")


def test_control_that_dies_while_its_successor_loads_is_followed_by_it() -> None:
    supervision = with_a_control_that_loads()
    assert deeds(supervision.child_exited(OLD_CONTROL, -9, 1.3)) == []
    assert supervision.child_prepared(NEW_CONTROL, 1.4) == []
    assert Conclude(TICKET) in started(supervision, NEW_CONTROL, 1.5)
    assert deeds(supervision.child_exited(NEW_CONTROL, -9, 9.0)) == [Start(NEW_CONTROL, CONTROL)]


def test_control_that_does_not_start_by_the_new_interpreter_starts_by_the_old_one_and_the_edge_stays() -> None:
    supervision = with_a_new_edge("/new/python")
    supervision.child_failed(NEW_CONTROL, "the database is newer")
    commands = deeds(supervision.child_exited(NEW_CONTROL, 2, 1.3))
    sentence = "the edge is replaced, but the new control did not become ready: the database is newer"
    assert commands == [
        Conclude(TICKET, f"{sentence}; it goes on with the interpreter before"),
        Start(NEW_CONTROL, CONTROL),
    ]
    assert deeds(supervision.child_exited(NEW, -9, 2.0)) == [Start(NEW, EDGE, "/new/python", is_successor=True)]


def test_control_that_does_not_start_by_the_same_interpreter_is_tried_again() -> None:
    supervision = with_a_new_edge("")
    supervision.child_failed(NEW_CONTROL, "the database is away")
    concluded, start = deeds(supervision.child_exited(NEW_CONTROL, 1, 1.3))
    assert isinstance(concluded, Conclude)
    assert concluded.sentence.endswith("the database is away; it is tried again")
    assert start == Start(NEW_CONTROL, CONTROL)


def test_control_that_is_down_anyway_is_started_by_the_new_interpreter_at_once() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.child_exited(OLD_CONTROL, 1, 0.5)
    supervision.child_exited(OLD_CONTROL, 1, 0.6)
    supervision.release_asked(TICKET, "/new/python", 0.65)
    started(supervision, NEW, 0.66)
    assert deeds(supervision.child_retiring(OLD, 0, 0.67))[-1] == Start(NEW_CONTROL, CONTROL, "/new/python")


# --- Several --------------------------------------------------------------------------------------------------------


def test_a_second_release_waits_for_the_first_and_a_third_joins_it() -> None:
    supervision = running(EDGE)
    supervision.release_asked(1, "", 1.0)
    waits = "another release is under way: this one waits for it"
    assert supervision.release_asked(2, "", 1.1) == [Say(2, waits)]
    assert supervision.release_asked(3, "", 1.2) == [Say(3, waits)]
    assert supervision.release_asked(None, "", 1.2) == []
    assert Conclude(4, "another release is under way, and one waits with another interpreter") in (
        supervision.release_asked(4, "/other", 1.3)
    )
    started(supervision, 2)
    commands = supervision.child_retiring(OLD, 0, 1.5)
    assert Conclude(1) in commands
    assert commands[-1] == Start(3, EDGE, "", is_successor=True)
    started(supervision, 3)
    assert [one for one in supervision.child_retiring(2, 0, 2.0) if isinstance(one, Conclude)] == [
        Conclude(2),
        Conclude(3),
    ]


def test_one_that_waits_is_begun_also_where_the_one_before_was_rolled_back() -> None:
    supervision = running(EDGE)
    supervision.release_asked(1, "/broken", 1.0)
    supervision.release_asked(2, "", 1.0)
    assert supervision.child_exited(2, 1, 1.1)[-1] == Start(3, EDGE, "", is_successor=True)


def test_beyond_a_number_of_retired_edges_the_oldest_closes_early_and_evenly() -> None:
    supervision = running(EDGE)
    for number in range(2, MOST_RETIRING + 2):
        released(supervision, number, number - 1)
    supervision.release_asked(None, "", 2.0)
    commands = started(supervision, MOST_RETIRING + 2, 2.0)
    early = Retire(why="release", deadline_s=0.0, spread_s=PLAN.spread_s, order=PLAN.order)
    assert [one for one in commands if isinstance(one, Tell)] == [Tell(MOST_RETIRING + 1, RETIRED), Tell(OLD, early)]
    assert Record("edge_closes_early", {"pid": 101, "retiring": MOST_RETIRING + 1}) in commands


def test_beyond_another_number_that_still_end_a_release_is_refused() -> None:
    supervision = running(EDGE)
    for number in range(2, MOST_LEAVING + 2):
        released(supervision, number, number - 1)
    reason = f"{MOST_LEAVING} edges of earlier releases are still ending"
    assert supervision.release_asked(TICKET, "", 3.0) == [
        Record("release_refused", {"reason": reason}),
        Conclude(TICKET, reason),
    ]
    supervision.child_exited(OLD, 0, 4.0)
    assert said(supervision.release_asked(TICKET, "", 5.0)) == ["a new edge is being started"]


# --- The end of all meanwhile ---------------------------------------------------------------------------------------


def test_a_drain_gives_the_release_up_and_lets_the_old_edge_retire() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.release_asked(1, "", 1.0)
    supervision.release_asked(2, "", 1.0)
    supervision.child_started(NEW, 103)
    commands = supervision.end_asked(SIGTERM, 1.1)
    assert [one for one in commands if isinstance(one, Conclude)] == [
        Conclude(ticket, "it was given up: everything is ending") for ticket in (1, 2)
    ]
    assert Tell(OLD, PLAN.retire("drain")) in commands
    assert Tell(NEW, Stop()) in commands
    assert supervision.child_ready(NEW, (), 1.2) == []
    assert deeds(supervision.child_exited(NEW, 0, 1.3)) == []


def test_a_drain_while_control_is_replaced_has_it_back() -> None:
    supervision = running(EDGE, CONTROL)
    supervision.release_asked(TICKET, "", 1.0)
    started(supervision, NEW)
    supervision.child_retiring(OLD, 3, 1.1)
    supervision.child_started(NEW_CONTROL, 104)
    commands = supervision.end_asked(SIGTERM, 1.2)
    assert Tell(NEW, PLAN.retire("drain")) in commands
    assert Send(NEW_CONTROL, SIGKILL) in commands
    # What loads holds nothing, and what serves is kept.
    assert deeds(supervision.child_exited(NEW_CONTROL, -9, 1.3)) == []
    assert deeds(supervision.child_exited(OLD_CONTROL, -9, 1.4)) == [Start(OLD_CONTROL, CONTROL)]


def test_edges_of_earlier_releases_keep_their_time_in_a_drain() -> None:
    supervision = running(EDGE)
    released(supervision, 2, OLD)
    commands = supervision.end_asked(SIGTERM, 2.0)
    assert [one for one in commands if isinstance(one, Tell)] == [Tell(2, PLAN.retire("drain"))]
    assert deeds(supervision.child_exited(2, 0, 3.0)) == []
    assert deeds(supervision.child_exited(OLD, 0, 4.0)) != []


def test_a_release_of_an_edge_that_was_never_ready_is_made_all_the_same() -> None:
    supervision = of(EDGE)
    supervision.begin(0.0)
    supervision.child_exited(OLD, 1, 0.1)
    supervision.child_exited(OLD, 1, 0.2)
    supervision.release_asked(TICKET, "/good/python", 0.25)
    assert deeds(started(supervision, 2, 0.3))[-1] == Conclude(TICKET)
