"""What is known of variables before a request comes."""

import pytest

from holdfast.rules.seclang.effects import SwitchOff, parse_setvar
from holdfast.rules.seclang.knowledge import Knowledge
from holdfast.rules.seclang.macros import Reference, parse_text
from holdfast.rules.seclang.target_syntax import parse_targets
from tests.unit.rules.seclang.running import WHERE


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("TX:a", True),
        ("TX:gone", True),
        ("&TX:gone", True),
        ("TX:given", False),
        ("&TX:given", True),
        ("TX:/a/", False),
        ("TX", False),
        ("IP:a", True),
        ("ARGS:a", False),
        ("FILES", True),
        ("!ARGS:a", True),
        ("TX:dirty", False),
        ("TX:n_1", False),
    ],
)
def test_a_closed_variable_is_known(text: str, is_known: bool) -> None:
    knowledge = Knowledge({b"a": b"1", b"given": b"2"}, [b"given"])
    knowledge.open(parse_setvar(WHERE, "tx.dirty=1"))
    knowledge.open(parse_setvar(WHERE, "tx.n_%{tx.0}=1"))
    (target,) = parse_targets(WHERE, text)
    assert knowledge.is_known(target) is is_known


def test_a_reference_comes_to_what_is_known() -> None:
    knowledge = Knowledge({b"a": b"1"})
    assert knowledge.value_of(Reference("TX", b"a")) == b"1"
    assert knowledge.value_of(Reference("TX", b"gone")) == b""
    assert knowledge.value_of(Reference("IP", b"gone")) == b""
    assert knowledge.value_of(Reference("ARGS", b"a")) is None
    knowledge.open_captures()
    assert knowledge.value_of(Reference("TX", b"1")) is None


def test_a_copy_learns_for_itself() -> None:
    knowledge = Knowledge({b"a": b"1"})
    copied = knowledge.copy()
    copied.open(parse_setvar(WHERE, "tx.a=2"))
    copied.values[b"b"] = b"2"
    assert (knowledge.is_open("TX", b"a"), knowledge.values) == (False, {b"a": b"1"})


@pytest.mark.parametrize(
    ("text", "may"),
    [("tx.a=2", True), ("tx.a=+1", True), ("!tx.a", True), ("ip.a=1", False), ("tx.%{tx.0}=1", False), ("tx.b=%{args.x}", False)],
)  # fmt: skip
def test_a_change_may_be_made_before_where_all_of_it_is_known(text: str, may: bool) -> None:
    knowledge = Knowledge({b"a": b"1"})
    assert knowledge.may_apply(parse_setvar(WHERE, text)) is may
    knowledge.open(parse_setvar(WHERE, text))
    assert not knowledge.may_apply(parse_setvar(WHERE, text))


def test_switching_off_opens_nothing_and_cannot_be_done_before() -> None:
    knowledge = Knowledge({})
    knowledge.open(SwitchOff())
    assert not knowledge.may_apply(SwitchOff())
    assert not knowledge.is_open("TX", b"a")


@pytest.mark.parametrize(("targets", "text"), [("ARGS|TX:A", ""), ("TX:/x/", ""), ("TX", ""), ("ARGS", "%{tx.a}")])
def test_what_an_undecided_rule_reads_is_not_set_before(targets: str, text: str) -> None:
    knowledge = Knowledge({})
    change = parse_setvar(WHERE, "tx.a=1")
    assert knowledge.may_apply(change)
    knowledge.read(parse_targets(WHERE, targets), [parse_text(text)])
    assert not knowledge.may_apply(change)
    assert not knowledge.copy().may_apply(change)
