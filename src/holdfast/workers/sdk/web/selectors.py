"""Selectors of CSS, as far as they can be told while a document goes by: of an element and of those it is in.

`*`, `a`, `#id`, `.class`, `[name]`, `[name="v"]` with `~= ^= $= *= |=` and `i`, `:not(…)`, `:first-child`, `:nth-child(…)`,
`:first-of-type`, `:nth-of-type(…)`, `a b`, `a > b`, and lists with commas: those of the original's HTMLRewriter.

Law 1: a selector is read whole or refused (TypeError) with the place where it was not understood.
Law 2: an element costs the same however deep it is: what was found above it is kept with those it is in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeAlias

from holdfast.workers.sdk.errors import JsTypeError

# Longest selector. Precedent: none; a person writes some hundred characters.
MAX_SELECTOR_CHARS = 4_096


class Place(Protocol):
    """An element where it stands. `position` is its own among its parent's elements, from 1, `position_of_type` among those of its name."""

    @property
    def name(self) -> str:
        """Its name, in small letters."""

    @property
    def values(self) -> Mapping[str, str]:
        """Its attributes."""

    @property
    def position(self) -> int:
        """See above."""

    @property
    def position_of_type(self) -> int:
        """See above."""


Test: TypeAlias = Callable[[Place], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """What one element must be. `is_child`: of the one before, not only anywhere below it."""

    tests: tuple[Test, ...]
    is_child: bool = False

    def fits(self, place: Place) -> bool:
        """Whether an element is that."""
        return all(test(place) for test in self.tests)


# How far each way of being chosen has been gone: the steps that end at an element, and those that end there or above it, as bits.
State: TypeAlias = tuple[tuple[int, int], ...]


class Selector:
    """One or more ways of being chosen."""

    def __init__(self, text: str) -> None:
        self._paths = _Reader(text).paths()

    def enter(self, place: Place, above: State | None) -> tuple[bool, State]:
        """Whether an element is chosen, and the state for those in it; `above` is the state of the one it is in."""
        states = tuple(
            _gone(path, place, *(above[number] if above is not None else (0, 0)))
            for number, path in enumerate(self._paths)
        )
        return any(here >> len(path) - 1 & 1 for path, (here, _) in zip(self._paths, states, strict=True)), states


def _gone(path: Sequence[Step], place: Place, parent: int, ancestors: int) -> tuple[int, int]:
    here = 0
    for number, step in enumerate(path):
        is_led_to = number == 0 or (parent if step.is_child else ancestors) >> number - 1 & 1
        if is_led_to and step.fits(place):
            here |= 1 << number
    return here, ancestors | here


_IDENT = r"(?:[\w-]|[^\x00-\x7f]|\\.)+"
_SIMPLE = re.compile(
    rf"""(?P<any>\*)|(?P<type>{_IDENT})|\#(?P<id>{_IDENT})|\.(?P<cls>{_IDENT})
    |\[\s*(?P<attr>{_IDENT})\s*(?:(?P<op>[~^$*|]?=)\s*(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<bare>{_IDENT}))\s*(?P<flag>[iIsS])?\s*)?\]
    |:(?P<first>first-child|first-of-type)|:(?P<nth>nth-child|nth-of-type)\(\s*(?P<formula>[^)]*?)\s*\)""",
    re.VERBOSE,
)
_COMBINATOR = re.compile(r"\s*(>)\s*|\s+")
_FORMULA = re.compile(r"(?:(?P<a>[+-]?\d*)n\s*(?:(?P<sign>[+-])\s*(?P<b>\d+))?|(?P<only>[+-]?\d+))$", re.IGNORECASE)
_NAMED = {"odd": (2, 1), "even": (2, 0)}


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._at = 0
        if len(text) > MAX_SELECTOR_CHARS:
            raise JsTypeError(f"Parser error: expected a selector of at most {MAX_SELECTOR_CHARS} characters")

    def paths(self) -> tuple[tuple[Step, ...], ...]:
        found = [self._path()]
        while self._took(","):
            found.append(self._path())
        if self._at < len(self._text):
            self._refuse()
        return tuple(found)

    def _path(self) -> tuple[Step, ...]:
        self._skip_space()
        steps = [Step(self._compound())]
        while combinator := _COMBINATOR.match(self._text, self._at):
            ahead = self._text[combinator.end() : combinator.end() + 1]
            if combinator.group(1) is None and ahead in {"", ",", ")"}:
                self._at = combinator.end()
                break
            self._at = combinator.end()
            steps.append(Step(self._compound(), is_child=combinator.group(1) is not None))
        return tuple(steps)

    def _compound(self) -> tuple[Test, ...]:
        tests: list[Test] = []
        while True:
            if self._text.startswith(":not(", self._at):
                self._at += len(":not(")
                tests.append(_none_of(self._negated()))
            elif (found := _SIMPLE.match(self._text, self._at)) and not (found["type"] and tests):
                self._at = found.end()
                tests.append(self._test(found))
            else:
                break
        if not tests:
            self._refuse()
        return tuple(tests)

    def _negated(self) -> list[tuple[Test, ...]]:
        found = []
        while True:
            self._skip_space()
            found.append(self._compound())
            self._skip_space()
            if self._took(")"):
                return found
            if not self._took(","):
                self._refuse()

    def _test(self, found: re.Match[str]) -> Test:
        if found["any"]:
            return lambda _place: True
        if found["type"]:
            name = _plain(found["type"]).lower()
            return lambda place: place.name == name
        if found["id"]:
            wanted = _plain(found["id"])
            return lambda place: place.values.get("id") == wanted
        if found["cls"]:
            return _value_test("class", "~=", _plain(found["cls"]), folds=False)
        if found["attr"]:
            value = next((one for one in (found["dq"], found["sq"], found["bare"]) if one is not None), "")
            folds = (found["flag"] or "").lower() == "i"
            return _value_test(_plain(found["attr"]).lower(), found["op"], value, folds=folds)
        if found["first"]:
            return _nth_test(0, 1, of_type=found["first"] == "first-of-type")
        step, offset = self._formula(found["formula"])
        return _nth_test(step, offset, of_type=found["nth"] == "nth-of-type")

    def _formula(self, text: str) -> tuple[int, int]:
        if text.lower() in _NAMED:
            return _NAMED[text.lower()]
        found = _FORMULA.match(text)
        if found is None or len(text) > 20:
            self._refuse()
        if found["only"]:
            return 0, int(found["only"])
        step = found["a"] + "1" if found["a"] in {"", "+", "-"} else found["a"]
        return int(step), int(f"{found['sign'] or ''}{found['b'] or 0}")

    def _took(self, char: str) -> bool:
        if not self._text.startswith(char, self._at):
            return False
        self._at += 1
        return True

    def _skip_space(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _refuse(self) -> NoReturn:
        rest = self._text[self._at :][:20] or "its end"
        raise JsTypeError(f"Parser error: the selector {self._text[:100]!r} was not understood at {rest!r}")


def _plain(ident: str) -> str:
    return re.sub(r"\\(.)", r"\1", ident)


def _none_of(groups: Sequence[tuple[Test, ...]]) -> Test:
    return lambda place: not any(all(test(place) for test in tests) for tests in groups)


_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "~=": lambda value, wanted: wanted in value.split(),
    "^=": lambda value, wanted: bool(wanted) and value.startswith(wanted),
    "$=": lambda value, wanted: bool(wanted) and value.endswith(wanted),
    "*=": lambda value, wanted: bool(wanted) and wanted in value,
    "|=": lambda value, wanted: value == wanted or value.startswith(f"{wanted}-"),
}


def _value_test(name: str, operator: str | None, wanted: str, *, folds: bool) -> Test:
    if operator is None:
        return lambda place: name in place.values
    compare = _COMPARISONS[operator]
    if folds:
        return lambda place: name in place.values and compare(place.values[name].lower(), wanted.lower())
    return lambda place: name in place.values and compare(place.values[name], wanted)


def _nth_test(step: int, offset: int, *, of_type: bool) -> Test:
    """Positions `step * n + offset` for n = 0, 1, …"""

    def test(place: Place) -> bool:
        ahead = (place.position_of_type if of_type else place.position) - offset
        return ahead == 0 if step == 0 else ahead % step == 0 and ahead // step >= 0

    return test
