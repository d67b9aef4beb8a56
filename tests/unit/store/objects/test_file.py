"""The file of an object: transactions, nesting, what breaks it."""

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects import file as file_module
from holdfast.store.objects import sql
from holdfast.store.objects.errors import StorageBroken, StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity
from holdfast.store.objects.kv import KeyValues, Range

ROOM = Identity("Room", "ab" * 32, "lobby")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Room" / f"{ROOM.object_id}.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[ObjectFile]:
    opened = ObjectFile.open(path, identity=ROOM)
    yield opened
    opened.close()


def kept(path: Path) -> dict[str, bytes]:
    """What another connection finds: what was committed."""
    other = ObjectFile.open(path)
    found = dict(KeyValues(other).list(Range()))
    other.close()
    return found


def test_reading_makes_no_file(file: ObjectFile, path: Path) -> None:
    assert (KeyValues(file).get("a"), file.database_size(), file.exists, file.alarm.get()) == (None, 0, False, None)
    file.commit()
    file.rollback()
    file.delete_all()
    assert not path.parent.exists()


def test_the_file_is_its_owners_alone_and_says_whose_it_is(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1")
    file.commit()
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.name in modes
    with sqlite3.connect(path) as connection:
        rows = dict(connection.execute("SELECT * FROM _cf_METADATA"))
    connection.close()
    assert rows == {"version": 1, "class": "Room", "id": ROOM.object_id, "name": "lobby"}


def test_nothing_is_there_for_others_before_the_commit(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1")
    assert (file.is_dirty, kept(path)) == (True, {})
    file.commit()
    assert (file.is_dirty, kept(path)) == (False, {"a": b"1"})


def test_the_hooks_are_told_once_a_transaction_and_before_each_write(file: ObjectFile) -> None:
    told: list[str] = []
    file.on_write = lambda: told.append("dirty")
    file.before_write = lambda: told.append("write")
    keys = KeyValues(file)
    keys.put("a", b"1")
    keys.put("b", b"1")
    file.commit()
    keys.delete("a")
    assert told == ["dirty", "write", "write", "dirty", "write"]


def test_a_hook_may_write_itself(file: ObjectFile) -> None:
    def write() -> None:
        file.write(" INSERT OR IGNORE INTO _cf_HANDLED VALUES (1, 2)")

    file.before_write = write
    KeyValues(file).put("a", b"1")
    assert file.read(" SELECT * FROM _cf_HANDLED").fetchall() == [(1, 2)]


def test_a_rollback_forgets_everything_since_the_commit(file: ObjectFile, path: Path) -> None:
    keys = KeyValues(file)
    keys.put("a", b"1")
    file.commit()
    keys.put("a", b"2")
    file.begin_nested()
    keys.put("b", b"2")
    file.rollback()
    assert (keys.get("a"), keys.get("b"), file.is_dirty, file.depth) == (b"1", None, False, 0)
    keys.put("c", b"3")
    file.commit()
    assert kept(path) == {"a": b"1", "c": b"3"}


def test_a_rolled_back_first_write_is_named_again(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1")
    file.rollback()
    KeyValues(file).put("a", b"1")
    file.commit()
    assert file.read(" SELECT value FROM _cf_METADATA WHERE key = 'id'").fetchone() == (ROOM.object_id,)


def test_nested_transactions_end_innermost_first(file: ObjectFile) -> None:
    first, second = file.begin_nested(), file.begin_nested()
    with pytest.raises(StorageError, match="innermost first: 2 are open, number 1 was to end"):
        file.end_nested(first, keep=True)
    file.end_nested(second, keep=True)
    file.end_nested(first, keep=False)
    with pytest.raises(StorageError, match="innermost first"):
        file.end_nested(first, keep=True)


def test_nothing_commits_while_a_nested_transaction_is_open(file: ObjectFile) -> None:
    depth = file.begin_nested()
    KeyValues(file).put("a", b"1")
    with pytest.raises(StorageError, match="a nested transaction is open"):
        file.commit()
    file.end_nested(depth, keep=True)
    file.commit()
    assert KeyValues(file).get("a") == b"1"


def test_a_nested_transaction_that_only_reads_leaves_nothing_to_commit(file: ObjectFile) -> None:
    depth = file.begin_nested()
    assert KeyValues(file).get("a") is None
    file.end_nested(depth, keep=True)
    assert not file.is_dirty
    # Nor does it hold the file: another process could write.
    other = sqlite3.connect(file.path, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    other.close()


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "nest", "keep", "drop", "commit", "rollback"]), st.integers(0, 3)),
        max_size=25,
    )
)
def test_nesting_is_a_stack_of_copies(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """Against a model: each nested transaction is a copy of what was, kept or dropped at its end."""
    file = ObjectFile.open(tmp_path_factory.mktemp("file") / "x.sqlite", identity=ROOM)
    keys, stack, committed = KeyValues(file), [dict[str, bytes]()], dict[str, bytes]()
    for number, (step, key) in enumerate(steps):
        if step == "put":
            keys.put(str(key), b"%d" % number)
            stack[-1][str(key)] = b"%d" % number
        elif step == "nest":
            file.begin_nested()
            stack.append(dict(stack[-1]))
        elif step in {"keep", "drop"} and len(stack) > 1:
            file.end_nested(len(stack) - 1, keep=step == "keep")
            top = stack.pop()
            stack[-1] = top if step == "keep" else stack[-1]
        elif step == "commit" and len(stack) == 1:
            file.commit()
            committed = dict(stack[-1])
        elif step == "rollback":
            file.rollback()
            stack = [dict(committed)]
        assert dict(keys.list(Range())) == stack[-1]
    file.close()
    assert kept(file.path) == committed if file.path.exists() else not committed


def test_another_thread_may_commit_and_close(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1")
    for act in (file.commit, file.close):
        thread = threading.Thread(target=act)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
    assert kept(path) == {"a": b"1"}
    assert not path.with_name(f"{path.name}-wal").exists()


def test_closing_forgets_what_was_not_committed_and_lets_nothing_follow(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1")
    file.close()
    file.close()
    for act in (
        file.commit,
        file.begin_nested,
        lambda: KeyValues(file).get("a"),
        lambda: KeyValues(file).put("a", b""),
    ):
        with pytest.raises(StorageBroken, match="no longer active"):
            act()
    file.rollback()
    assert kept(path) == {}


def test_delete_all_leaves_nothing_of_user_code_and_gives_the_room_back(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1" * 100_000)
    for statement in (
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (parent REFERENCES parent (id), other REFERENCES nowhere (x))",
        'CREATE TABLE "a ""quoted"" one" (id INTEGER PRIMARY KEY AUTOINCREMENT)',
        "INSERT INTO parent VALUES (1)",
        "CREATE VIRTUAL TABLE words USING fts5 (text)",
        "INSERT INTO words VALUES ('hello')",
        "CREATE VIEW ids AS SELECT id FROM parent",
        "CREATE INDEX by_parent ON child (parent)",
        "CREATE TRIGGER t AFTER INSERT ON parent BEGIN DELETE FROM parent; END",
        "ANALYZE",
    ):
        sql.run(file, statement)
    file.alarm.set(5)
    file.commit()
    file.delete_all()
    assert kept(path) == {"a": b"1" * 100_000}
    file.commit()
    names = {name for (name,) in file.read(" SELECT name FROM sqlite_schema").fetchall()}
    assert names - {"sqlite_sequence"} == {"_cf_KV", "_cf_METADATA", "_cf_HANDLED"}
    assert (kept(path), file.alarm.get()) == ({}, 5)
    assert file.database_size() < 40_000
    file.close()
    assert path.stat().st_size < 40_000


def test_room_that_cannot_be_given_back_is_none_of_the_commits_business(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1" * 100_000)
    file.commit()
    file.delete_all()
    KeyValues(file).put("b", b"2")
    assert file._connection is not None
    file._connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else 0)
    file.commit()
    assert kept(path) == {"b": b"2"}


@pytest.mark.parametrize("is_new", [True, False])
def test_delete_all_cancels_what_is_read(file: ObjectFile, *, is_new: bool) -> None:
    sql.run(file, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
    if not is_new:
        file.commit()
    KeyValues(file).put("a", b"")
    KeyValues(file).put("b", b"")
    rows, pairs = sql.run(file, "SELECT * FROM t"), iter(KeyValues(file).list(Range()))
    rows.next()
    next(pairs)
    file.delete_all()
    with pytest.raises(StorageError, match=r"^SQLite query was canceled because the database was deleted\.$"):
        rows.next()
    file.commit()
    assert list(KeyValues(file).list(Range())) == []
    sql.run(file, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (4)")
    assert sql.run(file, "SELECT * FROM t").rest() == [(4,)]


def test_delete_all_can_be_rolled_back_and_is_refused_within_a_transaction(file: ObjectFile) -> None:
    keys = KeyValues(file)
    keys.put("a", b"1")
    file.commit()
    file.delete_all()
    file.rollback()
    assert keys.get("a") == b"1"
    file.begin_nested()
    with pytest.raises(StorageError, match=r"Cannot call deleteAll\(\) within a transaction"):
        file.delete_all()


def _is_no_database(path: Path) -> None:
    path.write_bytes(b"x" * 5000)


def _is_another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def _is_newer(path: Path) -> None:
    file = ObjectFile.open(path)
    file.write(" UPDATE _cf_METADATA SET value = 2 WHERE key = 'version'")
    file.commit()
    file.close()


def _is_a_directory(path: Path) -> None:
    path.mkdir()


def _is_cut(path: Path) -> None:
    file = ObjectFile.open(path)
    for number in range(200):
        KeyValues(file).put(str(number), b"x" * 3000)
    file.commit()
    file.close()
    path.write_bytes(path.read_bytes()[:60_000])


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_is_no_database, "file is not a database: SQLITE_NOTADB"),
        (_is_another_database, "expected the file of an object, found another database"),
        (_is_newer, "expected format version 1, found 2: a newer Holdfast wrote it"),
        (_is_a_directory, "Is a directory"),
        (_is_cut, "database disk image is malformed: SQLITE_CORRUPT"),
    ],
)
def test_a_file_of_no_use_says_why_and_stays_broken(tmp_path: Path, spoil: Callable[[Path], None], text: str) -> None:
    path = tmp_path / "x.sqlite"
    spoil(path)
    file = ObjectFile.open(path)
    for _ in range(2):
        with pytest.raises(StorageBroken, match=text) as caught:
            list(KeyValues(file).list(Range()))
        assert "x.sqlite" in str(caught.value)
    with pytest.raises(StorageBroken, match=text):
        file.commit()
    file.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "Room").write_text("a file")
    with pytest.raises(StorageBroken, match="Room"):
        KeyValues(ObjectFile.open(tmp_path / "Room" / "x.sqlite")).put("a", b"")


def test_a_file_that_may_not_be_looked_for_is_of_no_use(file: ObjectFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)
    for act in (lambda: KeyValues(file).get("a"), file.database_size, lambda: KeyValues(file).put("a", b"")):
        with pytest.raises(StorageBroken, match="Permission denied"):
            act()


def test_a_cursor_that_is_kept_lets_the_journal_grow_to_its_limit_and_is_closed_then(
    file: ObjectFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "MAX_JOURNAL_BYTES", 2 * 1024 * 1024)
    monkeypatch.setattr(file_module, "COMMITS_BETWEEN_LOOKS", 4)
    sql.run(file, "CREATE TABLE t (id INTEGER PRIMARY KEY, b); INSERT INTO t (b) VALUES (1), (2), (3)")
    file.commit()
    rows = sql.run(file, "SELECT * FROM t")
    rows.next()
    wal, sizes = path.with_name(f"{path.name}-wal"), list[int]()
    for number in range(40):
        KeyValues(file).put("big", b"%d" % number * 100_000)
        file.commit()
        sizes.append(wal.stat().st_size if wal.exists() else 0)
    assert 2 * 1024 * 1024 < max(sizes) < 5 * 1024 * 1024
    with pytest.raises(
        StorageError, match="cursor was closed: it was not read to its end while the object wrote more than 2 MiB"
    ):
        rows.next()
    assert KeyValues(file).get("big") == b"39" * 100_000
    assert sql.run(file, "SELECT count(*) FROM t").rest() == [(3,)]


def test_a_cursor_that_is_kept_keeps_no_closed_file(file: ObjectFile, path: Path) -> None:
    sql.run(file, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
    file.commit()
    kept_cursors = [sql.run(file, "SELECT * FROM t") for _ in range(300)]
    for rows in kept_cursors:
        rows.next()
    file.close()
    assert not path.with_name(f"{path.name}-wal").exists()


def test_large_sorts_need_no_temporary_file(file: ObjectFile) -> None:
    assert sql.run(file, "SELECT 1").rest() == [(1,)]
    assert file.read(" PRAGMA temp_store").fetchone() == (2,)


def test_a_full_database_keeps_its_last_commit(file: ObjectFile, path: Path) -> None:
    keys = KeyValues(file)
    keys.put("a", b"1")
    file.commit()
    file.read(" PRAGMA max_page_count = 20")
    with pytest.raises(StorageBroken, match="database or disk is full: SQLITE_FULL"):
        keys.put("big", b"x" * 100_000)
    assert kept(path) == {"a": b"1"}


def test_a_transaction_that_sqlite_ends_by_itself_breaks_the_file(file: ObjectFile, path: Path) -> None:
    sql.run(file, "CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)")
    file.commit()
    KeyValues(file).put("a", b"1")
    with pytest.raises(StorageBroken, match="UNIQUE constraint failed"):
        sql.run(file, "INSERT OR ROLLBACK INTO t VALUES (1)")
    with pytest.raises(StorageBroken, match="UNIQUE constraint failed"):
        file.commit()
    assert kept(path) == {}


def test_a_commit_that_cannot_be_breaks_the_file_and_keeps_nothing(file: ObjectFile, path: Path) -> None:
    sql.run(file, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id))")
    file.commit()
    sql.run(file, "PRAGMA defer_foreign_keys = ON")
    KeyValues(file).put("a", b"1")
    sql.run(file, "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (7)")
    with pytest.raises(StorageBroken, match="FOREIGN KEY constraint failed"):
        file.commit()
    assert kept(path) == {}


def test_two_processes_cannot_both_write(file: ObjectFile, path: Path) -> None:
    KeyValues(file).put("a", b"1")
    file.commit()
    KeyValues(file).put("a", b"2")
    other = ObjectFile.open(path)
    with pytest.raises(StorageError, match="database is locked: SQLITE_BUSY"):
        KeyValues(other).put("a", b"3")
    other.close()
