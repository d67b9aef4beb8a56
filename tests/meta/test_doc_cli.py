"""docs/cli.md and the verbs over the API say the same: every verb, every option, and no other.

Law: the verbs' own options are the authority; what every verb has stands in a section of its own.
"""

import dataclasses
import re
from importlib import import_module

import pytest

from holdfast.client.api.options import ApiOptions
from holdfast.client.verbs.group import Verb
from holdfast.client.verbs.groups import GROUPS
from holdfast.model.option import spelling_of
from tests.meta.test_doc_tables import difference, rows_of, section_of
from tests.meta.tree import ROOT, complain

DOCUMENT = "docs/cli.md"


def _verbs(group: str) -> dict[str, Verb]:
    verbs: dict[str, Verb] = import_module(f"holdfast.client.verbs.{group}").VERBS
    return verbs


def _section(heading: str) -> str:
    return section_of((ROOT / DOCUMENT).read_text(encoding="utf-8"), heading)


def _flags(options: type[ApiOptions]) -> set[str]:
    spellings = [spelling_of(field) for field in dataclasses.fields(options)]
    return {one.flag for one in spellings if not one.is_argument}


def _code(cell: str) -> str:
    found = re.match(r"`([^`]+)`", cell)
    assert found, f"'{cell}' is not code"
    return found[1]


def _arguments(verb: Verb) -> list[str]:
    spellings = [spelling_of(field) for field in dataclasses.fields(verb.options)]
    return [one.metavar for one in spellings if one.is_argument]


@pytest.mark.parametrize("group", GROUPS)
def test_every_verb_is_documented_with_its_arguments(group: str) -> None:
    said = [_code(row[0]) for row in rows_of(_section(group), first_column="verb")]
    true = [" ".join(["holdfast", group, name, *_arguments(verb)]) for name, verb in _verbs(group).items()]
    complain(difference(DOCUMENT, said, true))


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_of_a_group_is_documented(group: str) -> None:
    said = [_code(row[0]).split()[0] for row in rows_of(_section(group), first_column="option")]
    true = set().union(*(_flags(verb.options) for verb in _verbs(group).values())) - _flags(ApiOptions)
    complain(difference(f"{DOCUMENT}, {group}", said, sorted(true)))


def test_what_every_verb_has_is_documented() -> None:
    said = [_code(row[0]).split()[0] for row in rows_of(_section("What every verb has"), first_column="option")]
    complain(difference(DOCUMENT, said, sorted(_flags(ApiOptions))))
