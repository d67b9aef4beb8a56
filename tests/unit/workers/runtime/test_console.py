"""Whatever user code writes anywhere, as lines that know whose they are."""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
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


@contextmanager
def request(ray: str) -> Iterator[None]:
    """As within a handler of this request."""
    token = running.set(Invocation(env=None, wait_until=lambda _: None, request=RequestContext(ray=ray, script="k")))
    name = console.entrypoint.set("Default")
    yield
    running.reset(token)
    console.entrypoint.reset(name)


def test_a_line_that_is_not_ended_is_never_put_before_what_another_request_prints() -> None:
    with captured() as lines:
        with request("a"):
            print("partial", end="")  # noqa: T201
        with request("b"):
            print("mine")  # noqa: T201
        with request("a"):
            print(" whole")  # noqa: T201
    assert lines == [("log", "mine", "b", "Default"), ("log", "partial whole", "a", "Default")]


def test_what_was_printed_without_an_end_goes_out_with_its_request() -> None:
    with captured() as lines:
        with request("a"):
            print("a's", end="")  # noqa: T201
            print("a's error", end="", file=sys.stderr)  # noqa: T201
            mine = copy_context()
        with request("b"):
            print("b's", end="")  # noqa: T201
        console.over_in(mine)
        assert lines == [("log", "a's", "a", "Default"), ("error", "a's error", "a", "Default")]
        console.over("b", "Default")
    assert lines[2:] == [("log", "b's", "b", "Default")]
    assert not console.HELD


def test_what_nobody_ends_goes_out_when_it_is_old_or_the_process_ends() -> None:
    with captured() as lines:
        print("of a module", end="")  # noqa: T201
        console.let_go(older_than_s=60)
        assert not lines
        console.let_go()
    assert lines == [("log", "of a module", "", "")]


def test_threads_without_a_request_do_not_mix_their_lines() -> None:
    with captured() as lines:
        print("ours ", end="")  # noqa: T201
        thread = threading.Thread(target=lambda: print("the thread's"))  # noqa: T201
        thread.start()
        thread.join()
        print("alone")  # noqa: T201
    assert [line[1] for line in lines] == ["the thread's", "ours alone"]


def test_few_texts_are_held_at_once() -> None:
    with captured() as lines:
        for number in range(console.MAX_HELD + 1):
            with request(f"r{number}"):
                print("x", end="")  # noqa: T201
        assert lines == [("log", "x", "r0", "Default")]
        console.let_go()
    assert len(lines) == console.MAX_HELD + 1
