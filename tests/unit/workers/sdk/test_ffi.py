"""`pyodide.ffi` without a border: conversions are the identity, proxies are what they stand for."""

import asyncio
import threading
from typing import Any

import pytest

from holdfast.workers.sdk import ffi
from holdfast.workers.sdk.errors import JsException


def test_conversions_leave_values_equal() -> None:
    value = {"a": [1, b"x"]}
    converted = ffi.to_js(value, dict_converter=dict, depth=1)
    assert converted == value
    assert converted.a[1].to_bytes() == b"x"
    assert not isinstance(converted, ffi.JsProxy)


def test_a_proxy_is_used_like_what_it_stands_for() -> None:
    def add(one: int, other: int) -> int:
        return one + other

    proxy = ffi.create_proxy(add, capture_this=False)
    again: Any = ffi.create_proxy(add)
    assert (proxy(1, 2), proxy.__name__, proxy == again, hash(proxy) == hash(add), proxy == add) == (
        3,
        "add",
        True,
        True,
        True,
    )
    assert (proxy.copy() is proxy, proxy.unwrap() is add, repr(proxy) == repr(add)) == (True, True, True)
    proxy.destroy()
    ffi.destroy_proxies([proxy])
    assert proxy(1, 1) == 2


def test_a_once_callable_is_called_once() -> None:
    once = ffi.create_once_callable(str.upper)
    assert once("a") == "A"
    with pytest.raises(JsException, match="only be called once"):
        once("a")


async def value() -> int:
    return 5


def test_waiting_without_await_is_possible_where_no_loop_runs() -> None:
    assert ffi.run_sync(value()) == 5


def test_a_proxy_of_a_container_is_used_like_it() -> None:
    mapping, items = {"a": 1}, [1, 2]
    proxy, other = ffi.create_proxy(mapping), ffi.create_proxy(items)
    proxy["b"] = 2
    assert (mapping, proxy["a"], "b" in proxy, len(other), list(other), bool(ffi.create_proxy([]))) == (
        {"a": 1, "b": 2},
        1,
        True,
        2,
        [1, 2],
        False,
    )
    assert bool(ffi.create_proxy(len))
    with pytest.raises(TypeError):
        ffi.create_proxy(len)[0]


async def test_a_proxy_of_what_can_be_awaited_can_be_awaited() -> None:
    proxy: Any = ffi.create_proxy(value())
    assert await asyncio.ensure_future(proxy) == 5
    assert not hasattr(ffi.create_proxy(len), "__await__")


async def test_in_a_handler_it_is_refused_and_in_a_thread_it_waits_on_the_loop() -> None:
    with pytest.raises(RuntimeError, match="use `await`"):
        ffi.run_sync(value())
    with pytest.raises(RuntimeError, match="use `await`"):
        ffi.run_sync(asyncio.get_running_loop().create_future())
    ffi.at_home(asyncio.get_running_loop())

    async def where() -> str:
        return threading.current_thread().name

    assert await asyncio.to_thread(lambda: ffi.run_sync(where())) == threading.main_thread().name


async def test_whether_it_can_wait_is_told() -> None:
    assert not ffi.can_run_sync()
    assert await asyncio.to_thread(ffi.can_run_sync)


def test_other_kinds_of_proxies_are_there_for_annotations() -> None:
    for name in ("JsMap", "JsCallable", "JsIterator", "JsTypedArray", "JsOnceCallable"):
        assert not isinstance({}, getattr(ffi, name))
