"""What happens to sockets that are put away while their object is not in memory, against real sessions, links' books and WebSockets."""

import gc
from typing import Any

import pytest

from holdfast.workers.channel.session import Session
from holdfast.workers.runtime.asleep import Asleep, sleep
from holdfast.workers.runtime.incoming import Acceptance
from holdfast.workers.runtime.sockets import WebSocket

NAMES = ("Room", "ab" * 32, "lobby")


class Link:
    """The books of a link."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self.asleep: dict[int, Any] = {}


class Owner:
    """An object with sockets on two links."""

    def __init__(self, count: int = 3) -> None:
        self.group, self.names = 0xABAB_ABAB_ABAB_ABAB, NAMES
        self.links = (Link(), Link())
        self.sockets: dict[Any, None] = {}
        self.resumed: set[Any] = set()
        for number in range(1, count + 1):
            self.add(number, self.links[number % 2])

    def add(self, sid: int, link: Link) -> None:
        session = Session(sid, link, received=sid * 10, taken_bytes=sid)  # type: ignore[arg-type]
        session.group, session.is_hibernatable = self.group, True
        ws = WebSocket()
        ws.acceptance, ws.is_heard, ws.owner = Acceptance.OBJECT, True, self  # type: ignore[assignment]
        ws.class_name, ws.object_id, ws.object_name = NAMES
        ws.tags, ws.accepted_ms, ws.ray = (f"user:{sid}", "all"), 1_700_000_000_000 + sid, f"ray{sid}"
        ws.serializeAttachment({"user": sid})
        ws.session, session.socket = session, ws
        link.sessions[sid] = session
        self.sockets[ws] = None

    def sleep(self) -> Asleep | None:
        return sleep(self, self.sockets, self.resumed)  # type: ignore[arg-type]


def seen(sockets: dict[Any, None]) -> list[Any]:
    """All that can be told of them, in their order."""
    return [
        (
            ws.binding,
            ws.readyState,
            ws.auto_answered_ms,
            ws.deserializeAttachment(),
            [getattr(ws.session, name) for name in Session.__slots__ if name not in {"socket", "link"}],
        )
        for ws in sockets
    ]


def test_what_is_woken_is_as_what_went_to_sleep_in_its_order_and_on_its_links() -> None:
    owner = Owner(5)
    before = seen(owner.sockets)
    away = owner.sleep()
    assert away is not None
    assert away.count == 5
    owner.sockets = {}
    assert [link.sessions for link in owner.links] == [{}, {}]
    assert sorted(sid for link in owner.links for sid in link.asleep) == [1, 2, 3, 4, 5]
    sockets, resumed = away.woken(owner)
    assert seen(sockets) == before
    assert resumed == set()
    assert [link.asleep for link in owner.links] == [{}, {}]
    for ws in sockets:
        link = owner.links[ws.session.sid % 2]
        session: Any = link.sessions[ws.session.sid]
        assert (ws.session, session.link, session.socket, ws.owner) == (session, link, ws, owner)


def test_a_socket_of_a_process_before_this_one_is_known_as_one_afterwards() -> None:
    owner = Owner()
    owner.resumed = {next(iter(owner.sockets))}
    away = owner.sleep()
    assert away is not None
    owner.sockets, owner.resumed = {}, set()
    sockets, resumed = away.woken(owner)
    assert [ws in resumed for ws in sockets] == [True, False, False]


def test_an_answer_of_the_edge_meanwhile_is_told_by_the_socket_and_kept_through_the_next_sleep() -> None:
    owner = Owner()
    away = owner.sleep()
    assert away is not None
    owner.sockets = {}
    away.answered(2, 77)
    owner.sockets, _ = away.woken(owner)
    assert [ws.auto_answered_ms for ws in owner.sockets] == [None, 77, None]
    again = owner.sleep()
    assert again is not None
    owner.sockets = {}
    assert [ws.auto_answered_ms for ws in again.woken(owner)[0]] == [None, 77, None]


def test_a_socket_that_is_closing_sleeps_and_is_closing_afterwards() -> None:
    owner = Owner()
    next(iter(owner.sockets))._sent_close = True
    away = owner.sleep()
    assert away is not None
    assert [ws.readyState for ws in away.woken(owner)[0]] == [WebSocket.CLOSING, WebSocket.OPEN, WebSocket.OPEN]


def test_sockets_sleep_only_when_nobody_but_their_object_knows_one_of_them() -> None:
    owner = Owner()
    kept = list(owner.sockets)[1]
    assert owner.sleep() is None
    assert sum(len(link.sessions) for link in owner.links) == 3
    del kept
    assert owner.sleep() is not None


def test_a_session_that_something_else_holds_keeps_all_awake() -> None:
    owner = Owner()
    due = [owner.links[1].sessions[1]]
    assert owner.sleep() is None
    due.clear()
    assert owner.sleep() is not None


def test_a_socket_that_is_known_weakly_stays_awake() -> None:
    import weakref

    owner = Owner()
    known = weakref.WeakSet(owner.sockets)
    assert owner.sleep() is None
    assert len(known) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ws: setattr(ws, "mood", "good"),
        lambda ws: setattr(ws, "onmessage", print),
        lambda ws: ws.addEventListener("message", print),
        lambda ws: setattr(ws.session, "link", None),
        lambda ws: setattr(ws.session, "_held", [(1, b"unsent", 0)]),
    ],
    ids=["a field of user code", "a listener by name", "a listener", "no link", "something held"],
)
def test_what_is_no_plain_value_keeps_all_awake(spoil: Any) -> None:
    owner = Owner()
    spoil(next(iter(owner.sockets)))
    gc.collect()
    assert owner.sleep() is None
    assert [len(link.sessions) for link in owner.links] == [1, 2]
