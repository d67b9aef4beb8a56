"""Check the arguments of a call against what its function takes, in the words of the original.

Law 1: an argument is checked as soon as it is read: its number, its kind, its type, its value, in this order.
Law 2: an argument that passes is ready: `prepared` gives what the function's body will get.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.rules.functions import ArgumentKind, Function, Parameter
from holdfast.rules.lexer import debug_text
from holdfast.rules.syntax_tree import Argument, Literal
from holdfast.rules.value_types import Expected, ValueType, fits, mismatch


def problem_with(function: Function, earlier: Sequence[Argument], argument: Argument) -> str | None:
    """What is wrong with the next argument, None if nothing is. There must be a parameter for it."""
    place = len(earlier)
    parameter = function.parameter(place)
    assert parameter is not None, "the caller counts arguments first"  # noqa: S101
    kind = ArgumentKind.LITERAL if isinstance(argument, Literal) else ArgumentKind.FIELD
    if parameter.kind not in {ArgumentKind.BOTH, kind}:
        what = f"expected argument of kind {parameter.kind}, but got {kind}"
        return f"invalid kind of argument #{place}: {what}"
    expected: Sequence[Expected] = parameter.types
    if function.returns is None and earlier:
        # All of them are what the first one is.
        expected = [earlier[0].type]
    if not fits(argument.type, expected):
        return f"invalid type of argument #{place}: {mismatch(expected, argument.type)}"
    return _bad_value(parameter, place, argument)


def _bad_value(parameter: Parameter, place: int, argument: Argument) -> str | None:
    if parameter.prepare is None or not isinstance(argument, Literal):
        return None
    try:
        parameter.prepare(argument.value)
    except ValueError as error:
        return f"invalid value of argument #{place}: invalid argument: {debug_text(str(error))}"
    return None


def result_type(function: Function, arguments: Sequence[Argument]) -> ValueType:
    """What one call gives; mapping over the first argument makes an array of it."""
    return arguments[0].type if function.returns is None else function.returns


def prepared(function: Function, place: int, argument: Literal) -> object:
    """A constant argument as the function's body takes it."""
    parameter = function.parameter(place)
    return argument.value if parameter is None or parameter.prepare is None else parameter.prepare(argument.value)


def defaults(function: Function, given: int) -> list[object]:
    """What the body gets for the optional arguments that were left out."""
    if function.repeated:
        return []
    left_out = function.parameters[given:]
    return [one.default if one.prepare is None else one.prepare(one.default) for one in left_out]
