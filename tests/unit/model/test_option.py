"""Options spelled once: what was given becomes fields, by the metadata of the fields alone."""

import dataclasses
from dataclasses import dataclass

import pytest

from holdfast.errors import UsageError
from holdfast.model.option import Given, parsed_fields, spelled, spelling_of, switch


def _number(text: str, flag: str) -> int:
    if not text.isdigit():
        raise UsageError(flag, text, "a number")
    return int(text)


@dataclass(frozen=True)
class Options:
    place: int = dataclasses.field(metadata=spelled("PLACE", "PLACE", "Where.", _number))
    max_size: int = dataclasses.field(default=1, metadata=spelled("--max-size", "N", "How big.", _number, short="-m"))
    many: tuple[int, ...] = dataclasses.field(
        default=(), metadata=spelled("--many", "N", "More.", _number, is_many=True)
    )
    quiet: bool = dataclasses.field(default=False, metadata=switch("--quiet", "Say nothing."))


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, {}),
        ({"place": None, "many": [], "quiet": False}, {}),
        ({"place": "3", "many": ["1", "2"], "quiet": True}, {"place": 3, "many": (1, 2), "quiet": True}),
    ],
)
def test_what_was_given_is_parsed_and_the_rest_left_to_defaults(
    given: dict[str, Given], fields: dict[str, object]
) -> None:
    assert parsed_fields(Options, given) == fields


@pytest.mark.parametrize(
    ("given", "flag"), [({"place": ""}, "PLACE"), ({"max_size": "x"}, "--max-size"), ({"many": ["1", "-"]}, "--many")]
)
def test_what_cannot_be_used_names_its_flag(given: dict[str, Given], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed_fields(Options, given)
    assert caught.value.field == flag


def test_a_spelling_names_its_environment_variable_and_its_place() -> None:
    place, size, *_ = (spelling_of(field) for field in dataclasses.fields(Options))
    assert place.is_argument
    assert not size.is_argument
    assert size.environment == "HOLDFAST_MAX_SIZE"
