"""The children of a supervisor: what each can be told, and by when it must have done it."""

from signal import SIGKILL

from holdfast.app.commands import Send, Start, Tell
from holdfast.app.family import SILENT_LIMIT_S, Child, ChildLimits, Family, State
from holdfast.app.words import Retire, Stop

EDGE = ChildLimits(name="edge", start_limit_s=60.0, stop_limit_s=10.0, keeps_clients=True)
CONTROL = ChildLimits(name="control", start_limit_s=600.0, stop_limit_s=5.0)
WORD = Retire(why="release", deadline_s=100.0, spread_s=10.0, order="oldest")


def started() -> tuple[Family, Child]:
    """A family whose edge is being started at 0."""
    family = Family([EDGE, CONTROL])
    edge = family.active["edge"]
    assert family.start(edge, 0.0) == [Start(edge.number, "edge")]
    return family, edge


def test_each_role_has_an_active_child_that_is_not_started_yet() -> None:
    family = Family([EDGE, CONTROL])
    assert [(child.role, child.state, child.is_first) for child in family] == [
        ("edge", State.WAITING, True),
        ("control", State.WAITING, True),
    ]
    assert family.next_moment() is None


def test_one_that_is_started_beside_another_of_its_role_is_a_successor() -> None:
    family, edge = started()
    other = family.add(EDGE, python="/p")
    assert family.start(other, 1.0) == [Start(other.number, "edge", "/p", is_successor=True)]
    assert family.living("edge") == [edge, other]
    assert not family.is_active(other)
    # One that is started again is not its own successor.
    other.end()
    assert family.start(edge, 2.0) == [Start(edge.number, "edge")]


def test_every_wait_has_a_limit() -> None:
    family, edge = started()
    assert edge.due == 60.0
    edge.state = State.READY
    assert family.retire(edge, WORD, 1.0) == [Tell(edge.number, WORD)]
    # Until it has said that it has retired, it has no longer than that.
    assert (edge.due, edge.retires_until) == (1.0 + SILENT_LIMIT_S, 111.0)
    edge.connections = 1
    family.retire(edge, WORD, 1.0)
    assert edge.due == edge.ends_by == 1.0 + WORD.longest_s + EDGE.stop_limit_s
    assert family.stop(edge, 2.0) == [Tell(edge.number, Stop())]
    assert edge.due == family.next_moment() == 12.0
    assert family.stop(edge, 3.0) == []
    assert edge.due == 12.0, "who is told again has no more time"


def test_who_is_no_process_is_told_nothing() -> None:
    family, edge = started()
    edge.state, edge.due = State.WAITING, 5.0
    assert family.kill(edge) == []
    assert family.stop(edge, 1.0) == []
    assert family.next_moment() is None
    assert family.living("edge") == []
    assert family.stop(edge, 1.0) == []


def test_who_is_killed_is_not_killed_again() -> None:
    family, edge = started()
    assert family.kill(edge) == [Send(edge.number, SIGKILL)]
    assert family.next_moment() is None


def test_who_has_ended_is_forgotten_unless_its_role_wants_it() -> None:
    family, edge = started()
    other = family.add(EDGE)
    edge.end()
    other.end()
    family.forget_ended()
    assert [child.role for child in family] == ["edge", "control"]
    assert family.child(edge.number) is edge
