"""What the edges have not taken of a process that was killed, and which objects are looked at for it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.channel.records import ToEdge
from holdfast.workers.durable.ledger_rows import rows_of
from holdfast.workers.durable.outbox import Entry, entries_in, wire_number
from holdfast.workers.durable.owed import FILE_NAME, SPARE_LINES, Left, Names, Owed
from tests.unit.workers.durable.ledger_scene import A, Scene, text
from tests.unit.workers.durable.stage import Channels, Session

KEY = ("Room", "ab" * 32)


class Socket:
    """A socket that an edge kept, which has taken outputs up to `last`."""

    def __init__(self, last: int = 0) -> None:
        self.session = Session()
        self.session.last_number = wire_number(last) if last else 0
        self.went_on: list[dict[str, Any]] = []

    @property
    def sid(self) -> int:
        return self.session.sid

    def goes_on(self, **what: Any) -> None:
        self.went_on.append(what)


def entries(*sockets: Socket) -> list[Entry]:
    """To all of them a message, then to the first one a state and a Close."""
    sids = [one.sid for one in sockets]
    return [
        Entry(5, int(ToEdge.MANY), sids, "hello"),
        Entry(6, int(ToEdge.STATE), sids[:1], b"state"),
        Entry(7, int(ToEdge.CLOSE), sids[:1], "bye", 4000),
    ]


def owed(directory: Path, channels: Channels, *, has_all_sockets: bool = False) -> Owed:
    return Owed(directory, channels, has_all_sockets=lambda: has_all_sockets, report=lambda *_: None)


def written_down(path: Path, channels: Channels, socket: Socket) -> Owed:
    """An answer to the socket is in the object's file, and its process is killed."""
    before, file = owed(path.parent, channels), ObjectFile.open(path)
    ledger = before.ledger(KEY, file, list)
    file.write(" INSERT OR REPLACE INTO _cf_KV VALUES ('key', 'value')")
    ledger.write_down([SimpleNamespace(note=lambda one: one.add(ToEdge.TEXT, [socket.sid], "answer"))])
    file.commit()
    file.close()
    return before


def test_each_socket_gets_what_its_edge_has_not_taken_under_the_same_numbers() -> None:
    channels, first, second, third = Channels(), Socket(last=5), Socket(last=4), Socket(last=7)
    assert Left(entries(first, second, third), 7).send([first, second, third], channels) == 3
    assert [(one[0], one[1]) for one in channels.many] == [([second.session], "hello")]
    assert channels.numbers == [wire_number(5)]
    assert (first.session.kept, first.session.closed) == ([b"state"], (4000, "bye"))
    assert first.session.numbers_sent == [wire_number(6), wire_number(7)]
    assert first.went_on == [{"state": b"state"}, {"is_closed": True}]
    assert third.session.numbers_sent == []


def test_what_was_written_down_is_found_by_the_next_process_and_sent_to_late_sockets(tmp_path: Path) -> None:
    channels, socket = Channels(), Socket()
    path = tmp_path / "object.sqlite"
    before = written_down(path, channels, socket)
    assert before.keys == frozenset()

    later = owed(tmp_path, channels)
    assert later.keys == {KEY}
    later.read(KEY, ObjectFile.open(path))
    later.resumed(KEY, [])
    assert channels.many == []
    later.resumed(KEY, [socket])
    assert [(one[0], one[1]) for one in channels.many] == [([socket.session], "answer")]


def test_what_an_edge_has_taken_is_not_sent_again_though_its_newest_output_is_in_the_file_no_more(
    tmp_path: Path,
) -> None:
    path = tmp_path / "object.sqlite"
    first = Scene(path)
    first.says("of the first process")
    # The next one does not know yet who comes back, and empties what it wrote itself: links have it, and its handlers go on.
    second = first.again(has_taken=True)
    second.writes((A, 1))
    second.commits(text("of the second process"))
    second.writes((A, 2))
    second.commits()
    assert second.said == [["of the first process"]]
    second.file.close()
    channels, socket = Channels(), Socket()
    socket.session.sid = A
    later = owed(tmp_path, channels)
    later.read(KEY, ObjectFile.open(path))
    for last, sent in ((2, 0), (1, 0), (0, 1)):
        socket.session.last_number = wire_number(last) if last else 0
        later.resumed(KEY, [socket])
        assert len(channels.many) == sent


def test_a_name_stays_until_what_is_sent_again_has_left(tmp_path: Path) -> None:
    channels, socket, path = Channels(), Socket(), tmp_path / "object.sqlite"
    written_down(path, channels, socket)

    later = owed(tmp_path, channels, has_all_sockets=True)
    later.read(KEY, ObjectFile.open(path))
    channels.has_taken = False
    later.resumed(KEY, [socket])
    later.sweep()
    assert Names(tmp_path).left == {KEY}
    channels.has_taken = True
    later.sweep()
    later.close(is_all_out=False)
    assert KEY not in later._names


def test_a_file_that_cannot_be_read_is_reported_and_no_more(tmp_path: Path) -> None:
    reports: list[str] = []
    (tmp_path / "x.sqlite").write_bytes(b"no database at all" * 100)
    one = Owed(tmp_path, Channels(), has_all_sockets=lambda: False, report=lambda _, text, __: reports.append(text))
    one.read(KEY, ObjectFile.open(tmp_path / "x.sqlite"))
    one.resumed(KEY, [Socket()])
    assert len(reports) == 1
    assert "cannot be read" in reports[0]


def test_names_are_there_until_an_orderly_end(tmp_path: Path) -> None:
    Names(tmp_path).add(KEY)
    names = Names(tmp_path)
    assert names.left == {KEY}
    names.close(is_all_out=False)
    assert Names(tmp_path).left == {KEY}
    Names(tmp_path).close(is_all_out=True)
    assert Names(tmp_path).left == set()


def test_a_name_goes_when_its_object_sleeps_and_the_links_have_everything(tmp_path: Path) -> None:
    channels = Channels()
    channels.has_taken = False
    one = owed(tmp_path, channels, has_all_sockets=True)
    file = ObjectFile.open(tmp_path / "x.sqlite")
    ledger = one.ledger(KEY, file, list)
    file.write(" INSERT OR REPLACE INTO _cf_KV VALUES ('key', 'value')")
    ledger.write_down([SimpleNamespace(note=lambda into: into.add(ToEdge.TEXT, [1], "x"))])
    one.slept(KEY)
    one.sweep()
    assert KEY in one._names
    channels.has_taken = True
    one.sweep()
    assert KEY not in one._names
    file.close()


def test_the_file_of_names_does_not_grow_for_ever(tmp_path: Path) -> None:
    names = Names(tmp_path)
    for number in range(SPARE_LINES + 2):
        names.add(("Room", f"{number:064x}"))
        names.discard([("Room", f"{number:064x}")])
    assert (tmp_path / FILE_NAME).stat().st_size < 200
    names.add(KEY)
    assert KEY in Names(tmp_path).left


def test_whatever_is_in_the_file_of_names_can_be_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff\nRoom\nRoom 12 34\nRoom 1\n")
    assert Names(tmp_path).left == {("Room", "1")}


def test_what_came_from_another_script_is_owed_to_nobody_and_makes_room(tmp_path: Path) -> None:
    channels, socket = Channels(), Socket()
    there, here = tmp_path / "there", tmp_path / "here"
    for directory in (there, here):
        directory.mkdir()
    written_down(there / "object.sqlite", channels, socket)
    (there / "object.sqlite").rename(here / "object.sqlite")
    # One that has its sockets yet to come: an inherited output would stay for as long.
    after = written_down(here / "object.sqlite", channels, socket)
    file = ObjectFile.open(here / "object.sqlite")
    (entry,) = entries_in(rows_of(file))
    # Numbers go on, so that no two outputs of an object ever have the same.
    assert entry.number == 2
    after.close(is_all_out=False)


def test_names_of_objects_that_are_not_here_any_more_go(tmp_path: Path) -> None:
    channels = Channels()
    written_down(tmp_path / "object.sqlite", channels, Socket()).close(is_all_out=False)
    later = owed(tmp_path, channels)
    assert later.keys == {KEY}
    later.drop(KEY)
    file = ObjectFile.open(tmp_path / "object.sqlite")
    ledger = later.ledger(KEY, file, list)
    ledger.write_down([SimpleNamespace(note=lambda one: one.add(ToEdge.TEXT, [1], "new"))])
    assert [entry.data for entry in entries_in(rows_of(file))] == ["new"]
    later.close(is_all_out=False)
