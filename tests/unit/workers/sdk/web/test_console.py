"""`js.console`: lines with a level, shown as Python shows them."""

import pytest

from holdfast.workers.sdk.values import JsDict
from holdfast.workers.sdk.web.console import Console


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("no")


def recorded() -> tuple[Console, list[tuple[str, str]]]:
    made, lines = Console(), []  # type: Console, list[tuple[str, str]]
    made.sink = lambda level, text: lines.append((level, text))
    return made, lines


def test_lines_have_levels_and_show_values() -> None:
    console, lines = recorded()
    console.log("a", 1, {"b": None}, JsDict(c=2))
    console.info("i")
    console.warn("w")
    console.error("e", ValueError("x"))
    console.debug(b"d")
    console.log(Unshowable())
    assert lines == [
        ("log", "a 1 {'b': None} {'c': 2}"),
        ("info", "i"),
        ("warn", "w"),
        ("error", "e ValueError: x"),
        ("debug", "b'd'"),
        ("log", "<Unshowable that cannot be shown: ValueError>"),
    ]


def test_groups_counts_assertions_and_times() -> None:
    console, lines = recorded()
    console.group("g")
    console.count()
    console.count()
    console.groupEnd()
    console.groupEnd()
    console.assert_(1, "fine")  # noqa: PT009 - the console's own
    console.assert_(0, "bad")  # noqa: PT009 - the console's own
    console.assert_(None)  # noqa: PT009 - the console's own
    assert lines == [
        ("log", "g"),
        ("info", "  default: 1"),
        ("info", "  default: 2"),
        ("error", "Assertion failed: bad"),
        ("error", "Assertion failed"),
    ]
    console.time("t")
    console.timeEnd("t")
    console.timeEnd("never begun")
    assert lines[-1][1].startswith("t: ")
    assert len(lines) == 6
    console.countReset()
    console.clear()
    console.time("t")
    console.timeLog("t", "so far")
    console.timeEnd("t")
    console.groupCollapsed("h")
    console.count()
    getattr(console, "assert")(0, "bad")
    assert [text.partition(": ")[0] for _, text in lines[6:]] == ["t", "t", "h", "  default", "  Assertion failed"]
    assert lines[6][1].endswith("ms so far")
    assert lines[9][1] == "  default: 1"
    console.groupEnd()
    console.trace("here")
    assert "test_console.py" in lines[-1][1]


def test_without_a_runtime_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.log("out")
    console.error("err")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\n")
