"""The functions of the rules language: what each takes, what it gives, and which of the original's are not here.

Law 1: what can be wrong with a constant argument (a pattern, a flag, a limit) is found when the expression is read, and
       the argument is prepared once: a body gets a compiled pattern, not its text.
Law 2: a missing argument makes the result missing; only `concat` and `coalesce` look at what else there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from holdfast.rules import function_bodies as bodies
from holdfast.rules.meter import refuse_too_many, spend_on
from holdfast.rules.patterns import Pattern, Wildcard, ascii_lower, ascii_upper
from holdfast.rules.value_types import (
    BOOL,
    BYTES,
    BYTES_ARRAY,
    BYTES_ARRAY_MAP,
    INT,
    IP,
    AnyContainer,
    Expected,
    ValueType,
)

MAX_SPLIT_PARTS = 128


class ArgumentKind(StrEnum):
    """How an argument may be written; the values are the original's words."""

    LITERAL = "Literal"
    FIELD = "Field"
    BOTH = "Both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument: its kind, its types, and what makes the constant ready for use (ValueError: it cannot be used).

    `default` stands for an optional argument that is left out, before preparation.
    """

    kind: ArgumentKind
    types: tuple[Expected, ...]
    prepare: Callable[[Any], object] | None = None
    default: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function: its parameters, how many of them must be given, and what it computes.

    `repeated` says that the last parameter may be given any number of times. `returns` None means the type of the first
    argument, of which then all are. `once` limits it to one call in an expression, not inside another such call. With `takes_missing` the body gets
    missing arguments as None; without, it is not called with any.
    """

    name: str
    parameters: tuple[Parameter, ...]
    required: int
    returns: ValueType | None
    body: Callable[..., object]
    repeated: bool = False
    once: bool = False
    takes_missing: bool = False

    def parameter(self, place: int) -> Parameter | None:
        """The parameter of argument `place` (from 0), None if there can be no such argument."""
        if place < len(self.parameters):
            return self.parameters[place]
        return self.parameters[-1] if self.repeated else None


def _field(*types: Expected) -> Parameter:
    return Parameter(kind=ArgumentKind.FIELD, types=types)


def _literal(
    *types: Expected, prepare: Callable[[Any], object] | None = None, default: str | int | None = None
) -> Parameter:
    return Parameter(kind=ArgumentKind.LITERAL, types=types, prepare=prepare, default=default)


def _either(*types: Expected) -> Parameter:
    return Parameter(kind=ArgumentKind.BOTH, types=types)


def _one_of(allowed: frozenset[str], value: str) -> str:
    if value not in allowed:
        raise ValueError(f"expected {' or '.join(repr(one) for one in sorted(allowed) if one)}, got {value!r}")
    return value


def _within(low: int, high: int, value: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"expected {low} to {high}, got {value}")
    return value


def _filled(value: str) -> str:
    if not value:
        raise ValueError("expected a separator, got nothing")
    return value


def _flags(*allowed: str) -> Parameter:
    return _literal(BYTES, prepare=partial(_one_of, frozenset({"", *allowed})), default="")


def _bits(high: int) -> Parameter:
    return _literal(INT, prepare=partial(_within, 1, high))


def _wildcard_replace(source: str, pattern: str, template: bodies.Template, flags: str) -> str:
    spend_on(source, each=150, sixteenths=32)
    return bodies.wildcard_replace(source, _wildcard(pattern, "s" in flags), template)


@lru_cache(maxsize=64)
def _wildcard(pattern: str, strict: bool) -> Wildcard:
    return Wildcard(pattern, strict=strict)


def _checked_wildcard(source: str) -> str:
    return Wildcard(source, strict=False).source


def _concat(*parts: Any) -> object:  # noqa: ANN401
    given = [part for part in parts if part is not None]
    if not given:
        return None
    if isinstance(given[0], str):
        return bodies.concat(given)
    refuse_too_many(given)
    return [item for part in given for item in part]


def _coalesce(*values: Any) -> object:  # noqa: ANN401
    return next((value for value in values if value is not None), None)


_TEXT = _field(BYTES)
_REPLACEMENT = _literal(BYTES, prepare=bodies.template_of)
_JSON_KEY = _literal(BYTES, INT)

_ALL = (
    Function(
        name="concat",
        parameters=(_either(BYTES, AnyContainer.ARRAY),),
        required=2,
        returns=None,
        body=_concat,
        repeated=True,
        takes_missing=True,
    ),
    Function(
        name="coalesce",
        parameters=(_either(BOOL, INT, IP, BYTES),),
        required=2,
        returns=None,
        body=_coalesce,
        repeated=True,
        takes_missing=True,
    ),
    Function(name="lower", parameters=(_TEXT,), required=1, returns=BYTES, body=ascii_lower),
    Function(name="upper", parameters=(_TEXT,), required=1, returns=BYTES, body=ascii_upper),
    Function(
        name="len",
        parameters=(_field(BYTES, AnyContainer.ARRAY, AnyContainer.MAP),),
        required=1,
        returns=INT,
        body=len,
    ),
    Function(name="starts_with", parameters=(_TEXT, _either(BYTES)), required=2, returns=BOOL, body=str.startswith),
    Function(name="ends_with", parameters=(_TEXT, _either(BYTES)), required=2, returns=BOOL, body=str.endswith),
    Function(
        name="substring",
        parameters=(_TEXT, _literal(INT), _literal(INT)),
        required=2,
        returns=BYTES,
        body=bodies.substring,
    ),
    Function(
        name="url_decode",
        parameters=(_TEXT, _flags("r", "u", "ur", "ru")),
        required=1,
        returns=BYTES,
        body=bodies.url_decode,
    ),
    Function(
        name="regex_replace",
        parameters=(_TEXT, _literal(BYTES, prepare=lambda source: _replace_pattern(source)), _REPLACEMENT),
        required=3,
        returns=BYTES,
        body=bodies.regex_replace,
        once=True,
    ),
    Function(
        name="wildcard_replace",
        parameters=(_TEXT, _literal(BYTES, prepare=_checked_wildcard), _REPLACEMENT, _flags("s")),
        required=3,
        returns=BYTES,
        body=_wildcard_replace,
        once=True,
    ),
    Function(
        name="remove_bytes",
        parameters=(_TEXT, _literal(BYTES)),
        required=2,
        returns=BYTES,
        body=bodies.remove_bytes,
    ),
    Function(
        name="remove_query_args",
        parameters=(_TEXT, _literal(BYTES)),
        required=2,
        returns=BYTES,
        body=bodies.remove_query_args,
        repeated=True,
    ),
    Function(name="to_string", parameters=(_field(INT, BOOL, IP),), required=1, returns=BYTES, body=bodies.to_string),
    Function(
        name="lookup_json_string",
        parameters=(_TEXT, _JSON_KEY),
        required=2,
        returns=BYTES,
        body=bodies.lookup_json_string,
        repeated=True,
    ),
    Function(
        name="lookup_json_integer",
        parameters=(_TEXT, _JSON_KEY),
        required=2,
        returns=INT,
        body=bodies.lookup_json_integer,
        repeated=True,
    ),
    Function(name="sha256", parameters=(_either(BYTES),), required=1, returns=BYTES, body=bodies.sha256),
    Function(name="sha512", parameters=(_either(BYTES),), required=1, returns=BYTES, body=bodies.sha512),
    Function(
        name="encode_base64",
        parameters=(_either(BYTES), _flags("u", "p", "up", "pu")),
        required=1,
        returns=BYTES,
        body=bodies.encode_base64,
    ),
    Function(name="decode_base64", parameters=(_TEXT,), required=1, returns=BYTES, body=bodies.decode_base64),
    Function(name="cidr", parameters=(_field(IP), _bits(32), _bits(128)), required=3, returns=IP, body=bodies.cidr),
    Function(name="cidr6", parameters=(_field(IP), _bits(128)), required=2, returns=IP, body=bodies.cidr6),
    Function(
        name="join", parameters=(_field(BYTES_ARRAY), _literal(BYTES)), required=2, returns=BYTES, body=bodies.join
    ),
    Function(
        name="split",
        parameters=(
            _TEXT,
            _literal(BYTES, prepare=_filled),
            _literal(INT, prepare=partial(_within, 1, MAX_SPLIT_PARTS)),
        ),
        required=3,
        returns=BYTES_ARRAY,
        body=bodies.split,
    ),
    Function(
        name="has_key",
        parameters=(_field(BYTES_ARRAY_MAP), _literal(BYTES)),
        required=2,
        returns=BOOL,
        body=bodies.has_key,
    ),
    Function(
        name="has_value",
        parameters=(_field(BYTES_ARRAY), _literal(BYTES)),
        required=2,
        returns=BOOL,
        body=bodies.has_value,
    ),
    Function(name="uuidv4", parameters=(_TEXT,), required=1, returns=BYTES, body=bodies.uuidv4),
    Function(
        name="is_timed_hmac_valid_v0",
        parameters=(
            _literal(BYTES),
            _TEXT,
            _literal(INT),
            _field(INT),
            _literal(INT, prepare=partial(_within, 0, 255), default=0),
            _flags("s"),
        ),
        required=4,
        returns=BOOL,
        body=bodies.is_timed_hmac_valid,
    ),
)


def _replace_pattern(source: str) -> Pattern:
    # A literal has been made bytes; the pattern is text again, so that its class members are characters.
    try:
        text = source.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("expected a regular expression in UTF-8") from None
    return Pattern(text, with_groups=True)


FUNCTIONS: Mapping[str, Function] = MappingProxyType({function.name: function for function in _ALL})

# Names that the original knows, with why they are refused here.
REFUSED_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "bit_slice": "packets are not seen here",
        "contains": "`contains` is an operator",
        "hash_in_range": "it is not available here",
        "hmac": "it is not available here",
        "ip_in_range": "use `in {...}`",
        "is_jwt_present": "tokens are not validated here",
        "is_jwt_valid": "tokens are not validated here",
        "trim": "it is not available here",
        "trim_end": "it is not available here",
        "trim_start": "it is not available here",
        "wildcard": "`wildcard` is an operator",
    }
)
