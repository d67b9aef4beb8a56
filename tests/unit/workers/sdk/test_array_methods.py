"""What arrays do. What is expected is what Node 20 says of the same."""

import operator
from typing import Any

import pytest

from holdfast.workers.sdk.buffers import Uint8Array
from holdfast.workers.sdk.values import JsList
from holdfast.workers.sdk.web.globals import Array
from holdfast.workers.sdk.web.typed_arrays import Int16Array


def made() -> JsList[Any]:
    return JsList([3, 1, 2, 1])


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (made().map(lambda item, at: item * 10 + at), [30, 11, 22, 13]),
        (made().map(str), ["3", "1", "2", "1"]),
        (made().filter(lambda item: item < 3), [1, 2, 1]),
        (made().find(lambda item: item < 3), 1),
        (made().find(lambda item: item > 3), None),
        (made().findIndex(lambda item: item < 3), 1),
        (made().findIndex(lambda item: item > 3), -1),
        (made().findLast(lambda item: item > 1), 2),
        (made().findLast(lambda item: item > 3), None),
        (made().some(lambda item: item > 2), True),
        (made().every(lambda item: item > 1), False),
        (made().reduce(operator.add), 7),
        (made().reduce(lambda so_far, item, at: so_far + item * at, 100), 108),
        (JsList([]).reduce(operator.add, 5), 5),
        (made().slice(1, -1), [1, 2]),
        (made().slice(-2), [2, 1]),
        (made().concat([4], 5, [[6]]), [3, 1, 2, 1, 4, 5, [6]]),
        (JsList([1, [2, [3, [4]]]]).flat(), [1, 2, [3, [4]]]),
        (JsList([1, [2, [3, [4]]]]).flat(2), [1, 2, 3, [4]]),
        (made().flatMap(lambda item: [item, item]), [3, 3, 1, 1, 2, 2, 1, 1]),
        (made().indexOf(1, 2), 3),
        (made().lastIndexOf(1), 3),
        (made().includes(2), True),
        (made().at(-1), 1),
        (made().at(9), None),
        (made().join("-"), "3-1-2-1"),
        (JsList([1, None, 2]).join(), "1,,2"),
        (made().toReversed(), [1, 2, 1, 3]),
        (made().fill(0, 1, 3), [3, 0, 0, 1]),
        (made().toString(), "3,1,2,1"),
        (dict(JsList([("a", 1)])), {"a": 1}),
        (made().values(), [3, 1, 2, 1]),
        (JsList("ab").entries(), [(0, "a"), (1, "b")]),
        (JsList("ab").object_keys(), ["0", "1"]),
        (JsList("ab").object_values(), ["a", "b"]),
        (JsList("ab").object_entries(), [("0", "a"), ("1", "b")]),
        (made().length, 4),
    ],
)
def test_arrays_answer_as_javascripts_do(result: object, expected: object) -> None:
    assert result == expected


@pytest.mark.parametrize(
    ("start", "more", "taken", "left"),
    [
        (1, (2, "x", "y", "z"), [1, 2], [3, "x", "y", "z", 1]),
        (-1, (), [1], [3, 1, 2]),
        (9, (9, "x"), [], [3, 1, 2, 1, "x"]),
        (-9, (1,), [3], [1, 2, 1]),
        (1, (-1, "x"), [], [3, "x", 1, 2, 1]),
    ],
)
def test_a_splice_takes_out_and_puts_in(start: int, more: tuple[Any, ...], taken: list[Any], left: list[Any]) -> None:
    items = made()
    assert (items.splice(start, *more), items) == (taken, left)


def test_both_ends_of_a_list_are_reached() -> None:
    items = made()
    assert (items.shift(), items.unshift(8, 9), items.push(7), items.pop(), JsList([]).shift()) == (3, 5, 6, 7, None)
    assert items == [8, 9, 1, 2, 1]


def test_what_gives_an_array_gives_one_of_the_class_it_is_called_on() -> None:
    assert [type(one.map(lambda item: item)) for one in (made(), Array.new(1, 2))] == [JsList, Array]
    assert (type(Int16Array([1]).filter(bool)), Int16Array([1, 2]).map(lambda item: item * 100)) == (
        Int16Array,
        Int16Array([100, 200]),
    )
    assert Uint8Array.new([1, 2, 3, 4]).map(lambda item: item * 100) == bytes([100, 200, 44, 144])


def test_callbacks_may_change_what_they_are_called_for() -> None:
    items = made()
    items.forEach(lambda item, _at, all_of_them: all_of_them.append(item))
    assert items == [3, 1, 2, 1] * 2


def test_nothing_cannot_be_joined_into_one() -> None:
    with pytest.raises(TypeError, match=r"^Reduce of empty array with no initial value$"):
        JsList([]).reduce(operator.add)


def test_arrays_of_numbers_are_put_in_order_in_place() -> None:
    octets, numbers = Uint8Array.new([5, 1, 3]), Int16Array.new([5, -1, 3])
    assert octets.sort() is octets
    assert list(octets) == [1, 3, 5]
    assert list(numbers.sort()) == [-1, 3, 5]
    assert list(numbers.sort(lambda one, other: other - one)) == [5, 3, -1]
