"""What libraries log becomes records."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.python_log import RecordHandler, take_over_logging
from holdfast.event_log import EventLog


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield logging.getLogger("some.library")
    root.handlers[:], root.level = handlers, level


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_warnings_and_errors_are_records_and_chatter_is_not(logger: logging.Logger, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    take_over_logging(EventLog(descriptor))
    logger.info("chatter")
    logger.warning("two\nlines of %s", "it")
    try:
        int("deep down")
    except ValueError:
        logger.exception("it failed")
    os.close(descriptor)
    warning, error = records(tmp_path / "log")
    assert (warning["event"], warning["level"], warning["logger"]) == ("library_notice", "warning", "some.library")
    assert warning["message"] == "two\nlines of it"
    assert error["traceback"].endswith("ValueError: invalid literal for int() with base 10: 'deep down'")


def test_a_message_that_does_not_fit_its_arguments_is_taken_as_it_is(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    RecordHandler(EventLog(descriptor)).emit(logging.LogRecord("l", logging.ERROR, "f", 1, "%d of %d", ("one",), None))
    os.close(descriptor)
    assert records(tmp_path / "log")[0]["message"] == "%d of %d"
