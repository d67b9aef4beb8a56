"""A script's log: what is kept, who reads along, and what a flood costs."""

from holdfast.model.worker_host_messages import KEPT_LINES, Logged, Missed
from holdfast.model.worker_messages import MAX_LOG_CHARACTERS, Log, LogKind
from holdfast.workers.host.log_book import BURST, MAX_QUEUED_LINES, RATE, LogBook, Reader


def log(text: str, kind: LogKind = "console") -> Log:
    return Log(level="log", message=text, ts_ms=1, kind=kind)


def texts(reader: Reader) -> list[str | int]:
    return [one.log.message if isinstance(one, Logged) else one.lines for one in reader.take()]


def test_who_begins_to_read_gets_the_last_lines_and_then_what_comes() -> None:
    book, woken = LogBook(lambda _: None), list[None]()
    for number in range(KEPT_LINES + 5):
        book.write(log(str(number)), float(number))
    reader = book.read(lambda: woken.append(None), lines=2)
    assert texts(reader) == [str(KEPT_LINES + 3), str(KEPT_LINES + 4)]
    book.write(log("more"), 1000.0)
    assert (len(woken), texts(reader)) == (3, ["more"])
    book.forget(reader)
    book.write(log("unread"), 1000.0)
    assert texts(reader) == []
    assert len(texts(book.read(lambda: None, lines=10_000))) == KEPT_LINES
    assert texts(book.read(lambda: None, lines=0)) == []


def test_a_reader_that_is_behind_is_told_what_it_missed() -> None:
    reader = Reader(lambda: None)
    for number in range(MAX_QUEUED_LINES + 3):
        reader.add(log(str(number)))
    got = list(reader.take())
    assert (got[0], len(got)) == (Missed(lines=3), MAX_QUEUED_LINES + 1)
    assert isinstance(got[1], Logged)
    assert got[1].log.message == "3"


def test_a_flood_is_cut_and_says_so() -> None:
    told: list[str] = []
    book = LogBook(lambda log: told.append(log.message))
    reader = book.read(lambda: None, lines=0)
    for number in range(BURST + 100):
        book.write(log(str(number), "host" if number >= BURST else "console"), 0.0)
        assert len(texts(reader)) == (1 if number < BURST else 0)
    book.note(log("it has crashed", "host"))
    left_out = f"100 lines are left out: more than {RATE} a second"
    assert texts(reader) == [left_out, "it has crashed"]
    book.write(log("later"), 1.0)
    assert texts(reader) == ["later"]
    # The host itself tells elsewhere of what it notes.
    assert told == [left_out]


def test_what_a_process_says_of_itself_is_told_and_what_its_code_says_is_not() -> None:
    told: list[str] = []
    book = LogBook(lambda log: told.append(log.message))
    reader = book.read(lambda: None, lines=0)
    book.write(log("a link has ended", "host"), 0.0)
    book.write(log("hello"), 0.0)
    assert (texts(reader), told) == (["a link has ended", "hello"], ["a link has ended"])


def test_a_line_that_is_too_long_is_cut() -> None:
    book = LogBook(lambda _: None)
    reader = book.read(lambda: None, lines=0)
    book.write(log("x" * (MAX_LOG_CHARACTERS + 1)), 0.0)
    assert texts(reader) == ["x" * MAX_LOG_CHARACTERS + "…"]


def test_the_end_of_a_script_wakes_who_waits() -> None:
    book, woken = LogBook(lambda _: None), list[None]()
    book.read(lambda: woken.append(None), lines=0)
    book.end()
    assert len(woken) == 1
