"""Files into a rulebook: their order, what is refused, what is left out."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.seclang import reader
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.reader import ordered, read
from holdfast.rules.seclang.syntax_tree import Marker
from holdfast.rules.seclang.vocabulary import IGNORED_DIRECTIVES
from tests.unit.rules.seclang.running import rulebook

PIECES = (
    "SecRule", "SecAction", "SecMarker", "ARGS", "TX:a", '"@rx a"', '"@eq 1"', '"id:1"', '"id:2,chain"', '"', "\\\n", "\n",
    "'", "SecRuleRemoveById", "SecRuleUpdateTargetById", "1-5", "SecDefaultAction", '"phase:1,pass"', "!", "&", ",", "%{",
)  # fmt: skip


def test_the_setup_comes_first_and_its_example_only_without_one() -> None:
    names = ["b.conf", "a.conf", "crs-setup.conf.example", "words.data"]
    assert ordered(names) == ["crs-setup.conf.example", "a.conf", "b.conf"]
    assert ordered([*names, "crs-setup.conf"]) == ["crs-setup.conf", "a.conf", "b.conf"]


def test_rules_markers_and_the_signature_come_out_in_order() -> None:
    book = read({
        "rules/b.conf": b'SecAction "id:2"\nSecComponentSignature "OWASP_CRS/3.3.4"',
        "crs-setup.conf": b'SecAction "id:9"',
        "rules/a.conf": b'SecMarker X\nSecRule ARGS "@pmf w.data" "id:1"',
        "rules/w.data": b"word",
    })  # fmt: skip
    assert [item.name if isinstance(item, Marker) else item.id for item in book.items] == [9, "X", 1, 2]
    assert book.signature == "OWASP_CRS/3.3.4"


@pytest.mark.parametrize("name", sorted(IGNORED_DIRECTIVES))
def test_what_configures_a_server_is_left_out(name: str) -> None:
    assert rulebook(f"{name} anything at all").items == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SecRuleScript x.lua", "a.conf:1: expected a directive such as SecRule, got 'secrulescript'"),
        ('SecAction "id:1"\nSecAction "id:1"', "a.conf:2: expected an id that no other rule has, got 'id:1'"),
        (
            'SecRule ARGS "a" "id:1,chain"\n\nSecMarker X',
            "a.conf:1: expected the next link of the chain before a.conf:3, got 'chain'",
        ),
        ("SecMarker", "a.conf:1: expected one name, got nothing"),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(text: str, sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        rulebook(text)
    assert str(raised.value) == sentence


def test_a_chain_does_not_go_on_in_the_next_file() -> None:
    with pytest.raises(SecLangError, match=r"^a\.conf:1: expected the next link of the chain"):
        read({"a.conf": b'SecRule ARGS "a" "id:1,chain"', "b.conf": b'SecRule ARGS "a"'})


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(SecLangError, match=r"^a\.conf:2: expected UTF-8"):
        read({"a.conf": b"# a\n# \xff\xfe"})


def test_files_and_rules_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_RULES", 1)
    with pytest.raises(SecLangError, match="at most 1 rules"):
        rulebook('SecAction "id:1"\nSecAction "id:2"')
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 10)
    with pytest.raises(SecLangError, match="at most 10 bytes in a file"):
        rulebook("# a long comment")


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_text_is_rules_or_an_error_of_ours(text: str) -> None:
    with suppress(SecLangError):
        assert isinstance(rulebook(text).items, tuple)
