"""`setvar` and `ctl`: what they are, and what they do."""

import pytest

from holdfast.rules.seclang.effects import Removal, SetVar, SwitchOff, compile_change, parse_change, parse_setvar
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.syntax_tree import Action
from tests.unit.rules.seclang.running import WHERE, rulebook, transaction

RULES = rulebook(
    'SecRule ARGS "a" "id:1,tag:x,msg:one"\nSecRule ARGS "a" "id:2,tag:y"\nSecRule ARGS "a" "id:30,tag:x"'
).rules


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("tx.a=5", {}, {b"a": b"5"}),
        ("tx.A", {}, {b"a": b"1"}),
        ("TX.a=", {b"a": b"1"}, {b"a": b""}),
        ("tx.a=+5", {}, {b"a": b"5"}),
        ("tx.a=+5", {b"a": b"2"}, {b"a": b"7"}),
        ("tx.a=-5", {b"a": b"2"}, {b"a": b"-3"}),
        ("!tx.a", {b"a": b"2", b"b": b"1"}, {b"b": b"1"}),
        ("!tx.a", {}, {}),
        ("tx.a=%{tx.b}x", {b"b": b"1"}, {b"b": b"1", b"a": b"1x"}),
        ("tx.n_%{tx.b}=+%{tx.b}", {b"b": b"Q"}, {b"b": b"Q", b"n_q": b"0"}),
        ("!tx.n_%{tx.b}", {b"b": b"1", b"n_1": b"2"}, {b"b": b"1"}),
        ("tx.pinned=9", {b"pinned": b"1"}, {b"pinned": b"1"}),
        ("tx.%{tx.b}=9", {b"b": b"pinned"}, {b"b": b"pinned"}),
    ],
)
def test_a_variable_is_set(text: str, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    state = transaction()
    state.tx.update(before)
    effect = compile_change(parse_setvar(WHERE, text), {b"pinned"})
    if effect is not None:
        effect(state)
    assert state.tx == after


def test_other_collections_are_written_for_the_request() -> None:
    state = transaction()
    for text in ("ip.a=+2", "ip.a=+2", "session.b"):
        effect = compile_change(parse_setvar(WHERE, text), ())
        assert effect is not None
        effect(state)
    assert (state.collections["IP"], state.collections["SESSION"]) == ({b"a": b"4"}, {b"b": b"1"})


@pytest.mark.parametrize("text", ["", "tx", "tx.", "args.a=1", "a=1"])
def test_what_cannot_be_set_is_refused(text: str) -> None:
    with pytest.raises(SecLangError, match="expected a variable such as"):
        parse_setvar(WHERE, text)


def change(argument: str) -> object:
    return parse_change(WHERE, Action("ctl", argument), RULES, PatternCache())


@pytest.mark.parametrize(
    ("argument", "rules"),
    [
        ("ruleremovebyid=1", {1}),
        ("ruleremovebyid=2-40", {2, 30}),
        ("ruleremovebytag=^x$", {1, 30}),
        ("ruleremovebymsg=one", {1}),
        ("ruleremovebyid=99", set()),
    ],
)
def test_a_ctl_names_rules(argument: str, rules: set[int]) -> None:
    assert change(argument) == Removal(frozenset(rules))


def test_targets_are_taken_from_rules() -> None:
    state = transaction()
    for argument in ("ruleremovetargetbytag=x;ARGS:a", "ruleremovetargetbyid=2;REQUEST_URI"):
        removal = change(argument)
        assert isinstance(removal, Removal)
        effect = compile_change(removal, ())
        assert effect is not None
        effect(state)
    assert sorted(state.removed_targets) == [1, 2, 30]
    (collection, excludes), *others = state.removed_targets[1]
    assert (collection, excludes(b"A"), excludes(b"b"), others) == ("ARGS", True, False, [])
    assert state.removed_targets[2][0][1](b"anything")


def test_rules_are_removed_and_the_engine_switched_off() -> None:
    state = transaction()
    for argument in ("ruleremovebyid=1", "ruleremovebyid=2", "ruleengine=Off"):
        removal = change(argument)
        assert isinstance(removal, Removal | SwitchOff)
        effect = compile_change(removal, ())
        assert effect is not None
        effect(state)
    assert (sorted(state.removed_rules), state.is_off) == ([1, 2], True)


@pytest.mark.parametrize("argument", ["auditengine=Off", "requestbodyprocessor=XML", "ruleengine=DetectionOnly"])
def test_what_changes_nothing_here_is_nothing(argument: str) -> None:
    assert change(argument) is None


def test_a_removal_of_nothing_has_no_effect() -> None:
    assert compile_change(Removal(frozenset()), ()) is None


def test_a_ctl_with_more_than_one_target_is_refused() -> None:
    with pytest.raises(SecLangError, match="expected one target after the ;"):
        change("ruleremovetargetbyid=1;ARGS|FILES")


def test_a_change_is_bound_to_what_is_known() -> None:
    bound = parse_setvar(WHERE, "tx.a=+%{tx.five}").bound(lambda _: b"5")
    assert isinstance(bound, SetVar)
    assert (bound.value.constant, bound.result(b"1", b"5")) == (b"5", b"6")
