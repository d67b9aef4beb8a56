"""What a verb prints: all of it, or a sentence."""

import errno
import io
import sys

import pytest

from holdfast import cli
from holdfast.errors import OutputError
from holdfast.standard_output import write_lines


class _Fails(io.StringIO):
    """An output that fails when it is flushed, as a buffered one does."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def flush(self) -> None:
        raise self._error


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_lines_are_written_and_flushed(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(["one", "two"])
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_full_disk_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Fails(FULL))
    with pytest.raises(OutputError, match=r"^the token is lost: no space left on device$"):
        write_lines(["one"], lost="the token is lost")
    assert sys.stdout is None


def test_a_closed_output_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="could not be written: standard output is closed"):
        write_lines(["one"])


@pytest.mark.parametrize("arguments", [["--version"], ["config", "show"], ["config", "show", "--json"]])
def test_a_command_on_a_full_disk_says_so_and_ends_with_1(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", _Fails(FULL))
    assert cli.run(arguments) == 1
    assert capsys.readouterr().err.endswith("what was asked for could not be written: no space left on device\n")


def test_a_reader_that_has_left_ends_a_command_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", _Fails(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.run(["--version"])
    assert capsys.readouterr().err == ""
