"""Whatever user code writes anywhere, as lines that know whose they are."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from holdfast.model.worker_egress import RequestContext
from holdfast.workers.runtime import console
from holdfast.workers.runtime.console import Writer, capture
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.turns import current_event
from holdfast.workers.sdk.context import Invocation, running
from holdfast.workers.sdk.web.console import console as platform_console

Lines = list[tuple[Any, ...]]


@contextmanager
def captured() -> Iterator[Lines]:
    """What is said, with everything captured; put back afterwards. (A fixture would be undone by pytest, which captures too.)"""
    said: Lines = []
    streams, root = (sys.stdout, sys.stderr), logging.getLogger()
    handlers, level, sink = list(root.handlers), root.level, platform_console.sink
    capture(lambda *told: said.append(told))
    yield said
    logging.captureWarnings(capture=False)
    sys.stdout, sys.stderr = streams
    root.handlers[:], platform_console.sink = handlers, sink
    root.setLevel(level)


def test_what_is_printed_logged_and_warned_of_is_a_line_with_its_level() -> None:
    with captured() as lines:
        print("a", "b\nc")  # noqa: T201
        print("to stderr", file=sys.stderr)  # noqa: T201
        logging.getLogger("app").warning("%s is %d", "x", 7)
        logging.getLogger("app").debug("left out")
        platform_console.error("from", "javascript")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", stacklevel=1)
    assert [line[:2] for line in lines[:4]] == [
        ("log", "a b\nc"),
        ("error", "to stderr"),
        ("warn", "x is 7"),
        ("error", "from javascript"),
    ]
    assert lines[4][0] == "warn"
    assert "careful" in lines[4][1]


def test_a_line_tells_whose_request_it_is() -> None:
    request = RequestContext(ray="ab", script="k")
    with captured() as lines:
        tokens = (
            running.set(Invocation(env=None, wait_until=lambda _: None, request=request)),
            console.entrypoint.set("Room"),
        )
        print("mine")  # noqa: T201
        running.reset(tokens[0])
        console.entrypoint.reset(tokens[1])
        print("nobody's")  # noqa: T201
    assert lines == [("log", "mine", "ab", "Room"), ("log", "nobody's", "", "")]


def test_a_line_about_a_socket_has_the_ray_that_opened_it() -> None:
    ray_of, services.ray_of = services.ray_of, lambda sid: f"ray of {sid}"
    token = current_event.set((7, 1))
    assert console.who() == ("ray of 7", "")
    current_event.reset(token)
    services.ray_of = ray_of
    assert console.who() == ("", "")


def test_arguments_that_do_not_fit_are_no_error() -> None:
    lines: Lines = []
    record = logging.LogRecord("app", logging.ERROR, __file__, 1, "%d things", ("no number",), None)
    console.Handler(lambda *told: lines.append(told)).emit(record)
    assert lines == [("error", "%d things", "", "")]


def test_text_without_an_end_is_not_kept_for_ever() -> None:
    said: Lines = []
    writer = Writer("log", lambda *told: said.append(told))
    writer.write("begun ")
    assert (writer.writable(), writer.encoding, said) == (True, "utf-8", [])
    writer.writelines(["x" * console.MAX_HELD_CHARACTERS, "rest"])
    assert len(said) == 1
    writer.flush()
    assert said[1][1] == "rest"
    writer.flush()
    assert len(said) == 2
