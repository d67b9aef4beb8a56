"""The sockets of an object that is not in memory: bytes, from which their WebSockets and sessions are made again when something happens to one.

A WebSocket and its session take a kilobyte, mostly of what each has as every other; what is told apart takes a tenth of that.

Law 1: a socket sleeps only where nobody but its object and its link knows it: user code that has kept one finds that one again.
Law 2: what it is made from again is all that was different from a new one, whatever that is; what is no plain value keeps it awake.
Law 3: all sockets of an object sleep, or none, so that they keep their order.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from holdfast.workers.channel.session import Session
from holdfast.workers.runtime.half import Half
from holdfast.workers.runtime.incoming import Acceptance, Incoming
from holdfast.workers.runtime.sockets import WebSocket

if TYPE_CHECKING:
    from holdfast.workers.channel.link import Link, Sleeper

_PLAIN = frozenset({int, bool, str, bytes, type(None)})
# What every socket of an object has as the object has it, or is put together anew.
_OF_OBJECT = {
    "__dict__",
    "__weakref__",
    "acceptance",
    "is_heard",
    "owner",
    "session",
    "class_name",
    "object_id",
    "object_name",
}
_SOCKET_FIELDS = tuple(name for name in (*Incoming.__slots__, *Half.__slots__) if name not in _OF_OBJECT)
_SESSION_FIELDS = tuple(name for name in Session.__slots__ if name not in {"sid", "link", "socket", "group"})
_NEW_SOCKET, _NEW_SESSION = WebSocket(), Session(0, None)
_SOCKET_VALUES = tuple(getattr(_NEW_SOCKET, name) for name in _SOCKET_FIELDS)
_SESSION_VALUES = tuple(getattr(_NEW_SESSION, name) for name in _SESSION_FIELDS)

# Number, which link, whether it is of a process before this one; what is different of the socket, and of its session, by the field's place.
_Row = tuple[int, int, bool, dict[int, Any], dict[int, Any]]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Row])


class Owner(Protocol):
    """Whose sockets they are (`durable.actor.Actor`); it is told by the links when something happens to one."""

    @property
    def group(self) -> int: ...
    @property
    def names(self) -> tuple[str, str, str | None]:
        """Of its class, its id, its name."""


class Asleep:
    """The sockets of one object; by `sleep`."""

    __slots__ = ("_answered", "_links", "_rows", "count")

    def __init__(self, rows: bytes, links: Link | tuple[Link, ...], count: int) -> None:
        """`links`: the one of all of them, or those that `rows` name by their places."""
        self._rows, self._links, self.count = rows, links, count
        # When edges have answered for it since.
        self._answered: dict[int, int] | None = None

    def anew(self) -> Asleep:
        """The same, in memory that is taken now: where much around it has gone since, it need not stay there."""
        links = self._links[:1] + self._links[1:] if isinstance(self._links, tuple) else self._links
        other = Asleep(bytes(bytearray(self._rows)), links, self.count)
        other._answered = self._answered
        return other

    def answered(self, sid: int, at_ms: int) -> None:
        """An edge answered for a socket."""
        self._answered = self._answered or {}
        self._answered[sid] = at_ms

    def woken(self, owner: Owner) -> tuple[dict[Any, None], set[Any]]:
        """The sockets again, in their order, and those of them that are of a process before this one; once."""
        names, group, answered = owner.names, owner.group, self._answered or {}
        links = self._links if isinstance(self._links, tuple) else (self._links,)
        sockets: dict[Any, None] = {}
        resumed = set()
        for sid, place, is_resumed, socket_values, session_values in _DECODER.decode(self._rows):
            link = links[place]
            ws = _socket(owner, names, socket_values)
            session = ws.session = Session(sid, link)
            _restore(session, _SESSION_FIELDS, session_values)
            session.group, session.socket = group, ws
            ws.auto_answered_ms = answered.get(sid, ws.auto_answered_ms)
            link.sessions[sid] = session
            # It knows none any more where the process retires.
            link.asleep.pop(sid, None)
            sockets[ws] = None
            if is_resumed:
                resumed.add(ws)
        return sockets, resumed


def sleep(owner: Sleeper, sockets: Collection[Any], resumed: Collection[Any]) -> Asleep | None:
    """What the sockets are to be made from again; None where one of them cannot sleep. Who is given it forgets them."""
    links: dict[Link, int] = {}
    rows = []
    for ws in sockets:
        session = ws.session
        if type(ws) is not WebSocket or type(session) is not Session or session.link is None:
            return None
        # The object's and its session's, its WebSocket's and the link's: nobody else knows it.
        is_resumed = ws in resumed
        if _references(ws) > _ONE + 2 + is_resumed or _references(session) > _ONE + 2 or weakref.getweakrefcount(ws):
            return None
        socket_values = _different(ws, _SOCKET_FIELDS, _SOCKET_VALUES)
        session_values = _different(session, _SESSION_FIELDS, _SESSION_VALUES)
        if socket_values is None or session_values is None or vars(ws) or ws.acceptance is not Acceptance.OBJECT:
            return None
        link: Any = session.link
        rows.append((session.sid, links.setdefault(link, len(links)), is_resumed, socket_values, session_values))
    places = tuple(links)
    for sid, place, *_ in rows:
        del places[place].sessions[sid]
        places[place].asleep[sid] = owner
    return Asleep(_ENCODER.encode(rows), places if len(places) > 1 else places[0], len(rows))


def _different(one: object, fields: Iterable[str], usual: Iterable[Any]) -> dict[int, Any] | None:
    """What of it is not as in a new one; None where that is not all plain."""
    found: dict[int, Any] = {}
    for place, (name, value) in enumerate(zip(fields, usual, strict=True)):
        here = getattr(one, name)
        if here is value:
            continue
        if not _is_plain(here):
            return None
        if here != value or type(here) is not type(value):
            found[place] = here
    return found


def _is_plain(value: object) -> bool:
    return type(value) in _PLAIN or (type(value) is tuple and all(type(one) is str for one in value))


def _restore(one: object, fields: tuple[str, ...], values: dict[int, Any]) -> None:
    for place, value in values.items():
        # Tuples are what comes back as a list.
        setattr(one, fields[place], tuple(value) if isinstance(value, list) else value)


def _socket(owner: Any, names: tuple[str, str, str | None], values: dict[int, Any]) -> WebSocket:  # noqa: ANN401  an Owner that is a SocketOwner
    ws = WebSocket()
    ws.acceptance, ws.is_heard, ws.owner = Acceptance.OBJECT, True, owner
    ws.class_name, ws.object_id, ws.object_name = names
    _restore(ws, _SOCKET_FIELDS, values)
    return ws


def _references(one: object) -> int:
    return sys.getrefcount(one)


def _of_one() -> int:
    """What `_references` says of what only a local variable has."""
    one = WebSocket()
    return _references(one)


_ONE = _of_one()
