"""Questions to the host of scripts, and its answers, as lines."""

from typing import Any

import pytest

from holdfast.model.worker_host_messages import (
    MAX_QUESTION_BYTES,
    Answer,
    Delete,
    Deploy,
    Done,
    Inherit,
    Inherited,
    ListScripts,
    Logged,
    Missed,
    Question,
    Refused,
    Restart,
    Scripts,
    ScriptStatus,
    Tail,
)
from holdfast.model.worker_messages import LineReader, Log, WorkerLinkError, line

KEY = "0123456789ab"
QUESTIONS = (
    Deploy(key=KEY, version="v1"), Restart(key=KEY), Delete(key=KEY), ListScripts(), Tail(key=KEY, lines=3), Inherit(),
)  # fmt: skip
STATUS = ScriptStatus(
    key=KEY, name="chat", account="a", version="v2", serving="v1", state="loading", objects={"Room": 2}
)
ANSWERS = (
    Done(),
    Refused(error="it does not import", traceback="Traceback"),
    Scripts(scripts=(STATUS,)),
    Logged(log=Log(level="warn", message="careful", ts_ms=1)),
    Missed(lines=7),
    Inherited(scripts=2),
)


@pytest.mark.parametrize(("messages", "expected"), [(QUESTIONS, Question), (ANSWERS, Answer)])
def test_what_is_said_is_what_is_read(messages: tuple[Any, ...], expected: object) -> None:
    reader: LineReader[Any] = LineReader(expected)
    assert tuple(reader.feed(b"".join(line(message) for message in messages))) == messages


def test_every_question_fits_where_names_are_as_long_as_they_may_be() -> None:
    assert len(line(Deploy(key=KEY, version="v" * 255))) <= MAX_QUESTION_BYTES


def test_an_answer_is_no_question() -> None:
    reader: LineReader[Question] = LineReader(Question)
    with pytest.raises(WorkerLinkError):
        list(reader.feed(line(Done())))
