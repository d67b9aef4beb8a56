"""`holdfast.model.ruleset`: versions, places and identities of rules."""

import itertools
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.rate_limit_terms import RateLimit
from holdfast.model.rule_error import RuleError
from holdfast.model.ruleset import (
    Position,
    RuleDraft,
    Ruleset,
    changed_rules,
    first,
    replaced,
    with_changed_rule,
    with_rule,
    without_rule,
)

EMPTY = Ruleset(id="set", name="n", description="", kind="zone", phase="p", version=1, rules=(), last_updated=0)


def _ids(numbers: Iterator[int]) -> str:
    return f"id{next(numbers)}"


def _draft(name: str, **members: object) -> RuleDraft:
    return RuleDraft(action="route", action_parameters={}, expression=name, **members)  # type: ignore[arg-type]


def _ruleset(*names: str) -> Ruleset:
    """A ruleset of rules whose ids, refs and expressions are `names`."""
    made = EMPTY
    for name in names:
        made = with_rule(made, _draft(name, ref=name), None, new_id=partial(str, name), now=1)
    return first(made)


def _names(ruleset: Ruleset) -> str:
    return "".join(rule.expression for rule in ruleset.rules)


def test_a_rule_is_added_at_the_end_with_an_id_and_a_ref() -> None:
    numbers = itertools.count()
    one = with_rule(EMPTY, _draft("a"), None, new_id=lambda: _ids(numbers), now=5)
    two = with_rule(one, _draft("b", ref="mine"), None, new_id=lambda: _ids(numbers), now=6)
    assert [(rule.id, rule.ref, rule.version, rule.last_updated) for rule in two.rules] == [
        ("id0", "id0", 1, 5),
        ("id1", "mine", 1, 6),
    ]
    assert (two.version, two.last_updated) == (3, 6)


@pytest.mark.parametrize(
    ("position", "names"),
    [
        (Position(before=""), "xabc"),
        (Position(after=""), "abcx"),
        (Position(before="b"), "axbc"),
        (Position(after="b"), "abxc"),
        (Position(index=1), "xabc"),
        (Position(index=4), "abcx"),
        (None, "abcx"),
    ],
)
def test_a_rule_is_put_where_it_is_wanted(position: Position | None, names: str) -> None:
    made = with_rule(_ruleset("a", "b", "c"), _draft("x"), position, new_id=lambda: "x", now=2)
    assert _names(made) == names


@pytest.mark.parametrize(
    ("position", "pointer"),
    [
        (Position(index=0), "/position/index"),
        (Position(index=5), "/position/index"),
        (Position(before="nobody"), "/position/before"),
        (Position(after="nobody"), "/position/after"),
    ],
)
def test_a_place_that_is_none_is_refused(position: Position, pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        with_rule(_ruleset("a", "b", "c"), _draft("x"), position, new_id=lambda: "x", now=2)
    assert refused.value.pointer == pointer


def test_a_moved_rule_keeps_its_version_and_a_changed_one_does_not() -> None:
    made = _ruleset("a", "b")
    moved = with_changed_rule(made, "b", None, Position(before="a"), now=9)
    assert (_names(moved), moved.version, [rule.version for rule in moved.rules]) == ("ba", 2, [1, 1])
    changed = with_changed_rule(moved, "a", _draft("z"), None, now=10)
    (b, a) = changed.rules
    assert (a.id, a.ref, a.expression, a.version, a.last_updated, b.version) == ("a", "a", "z", 2, 10, 1)
    assert with_changed_rule(changed, "a", _draft("z"), Position(after=""), now=11) is not None
    assert with_changed_rule(changed, "a", _draft("z"), Position(after=""), now=11) == changed
    with pytest.raises(RuleError, match="could not find rule"):
        with_changed_rule(changed, "c", None, None, now=12)


def test_a_rule_is_taken_out() -> None:
    assert _names(without_rule(_ruleset("a", "b", "c"), "b", now=2)) == "ac"
    with pytest.raises(RuleError, match="could not find rule nobody in ruleset set"):
        without_rule(_ruleset("a"), "nobody", now=2)


def test_rules_are_recognised_by_id_and_by_ref() -> None:
    made = _ruleset("a", "b")
    drafts = [_draft("b", id="b"), _draft("a2", ref="a"), _draft("c")]
    after = replaced(made, drafts, "", new_id=lambda: "new", now=7)
    assert [(rule.id, rule.ref, rule.version) for rule in after.rules] == [
        ("b", "b", 1),
        ("a", "a", 2),
        ("new", "new", 1),
    ]
    assert after.version == made.version + 1
    renamed = replaced(made, [_draft("a", id="a", ref="r")], "", new_id=lambda: "new", now=7)
    assert [(rule.id, rule.ref, rule.version) for rule in renamed.rules] == [("a", "r", 2)]


def test_what_changes_nothing_raises_no_version() -> None:
    made = _ruleset("a", "b")
    assert replaced(made, [_draft("a", id="a"), _draft("b", ref="b")], "", new_id=lambda: "new", now=7) == made
    assert replaced(made, None, "", new_id=lambda: "new", now=7) == made
    described = replaced(made, None, "ours", new_id=lambda: "new", now=7)
    assert (described.version, described.description, described.rules) == (2, "ours", made.rules)


@pytest.mark.parametrize(
    ("drafts", "pointer"),
    [
        ([_draft("a", id="nobody")], "/rules/0/id"),
        ([_draft("a", id="a"), _draft("b", id="a")], "/rules/1/id"),
        ([_draft("a", ref="r"), _draft("b", ref="r")], "/rules/1/ref"),
        ([_draft("a", ref="b"), _draft("b", id="b")], "/rules/1/id"),
    ],
)
def test_two_rules_are_never_one(drafts: list[RuleDraft], pointer: str) -> None:
    numbers = itertools.count()
    with pytest.raises(RuleError) as refused:
        replaced(_ruleset("a", "b"), drafts, "", new_id=lambda: _ids(numbers), now=2)
    assert refused.value.pointer == pointer


def test_a_ref_is_anothers_or_free() -> None:
    with pytest.raises(RuleError) as refused:
        with_rule(_ruleset("a"), _draft("b", ref="a"), None, new_id=lambda: "b", now=2)
    assert refused.value.pointer == "/ref"


def test_rules_that_are_new_or_say_something_else_are_named() -> None:
    before = _ruleset("a", "b", "c")
    turned = with_changed_rule(before, "c", None, Position(index=1), now=5)
    assert changed_rules(before, turned) == []
    changed = with_changed_rule(turned, "b", _draft("b", is_logged=True), None, now=5)
    more = with_rule(changed, _draft("d"), Position(index=1), new_id=lambda: "d", now=6)
    assert [(place, rule.id) for place, rule in changed_rules(before, more)] == [(0, "d"), (3, "b")]
    assert [place for place, _ in changed_rules(None, before)] == [0, 1, 2]


def test_every_term_of_a_rule_counts() -> None:
    terms = RateLimit(characteristics=("cf.colo.id",), period=10, requests_per_period=1)
    before = _ruleset("a")
    for draft in (_draft("a", ratelimit=terms), _draft("a", is_logged=False)):
        after = with_changed_rule(before, "a", draft, None, now=2)
        assert (after.version, after.rules[0].version) == (before.version + 1, before.rules[0].version + 1)
        assert with_changed_rule(after, "a", draft, None, now=3) == after


_CHANGES = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("abc"), st.none() | st.integers(-1, 6)),
    st.tuples(st.just("edit"), st.sampled_from("abc"), st.none() | st.integers(-1, 6)),
    st.tuples(st.just("remove"), st.sampled_from("abc"), st.none()),
)


@given(st.lists(_CHANGES))
def test_whatever_is_done_ids_are_unique_and_versions_only_rise(changes: list[tuple[str, str, int | None]]) -> None:
    ruleset, numbers = EMPTY, itertools.count()
    for act, name, index in changes:
        position = None if index is None else Position(index=index)
        before = ruleset
        chosen = next((rule.id for rule in before.rules if rule.expression == name), "nobody")
        try:
            if act == "add":
                ruleset = with_rule(before, _draft(name), position, new_id=lambda: _ids(numbers), now=2)
            elif act == "edit":
                ruleset = with_changed_rule(before, chosen, _draft(name, enabled=False), position, now=2)
            else:
                ruleset = without_rule(before, chosen, now=2)
        except RuleError:
            ruleset = before
        assert len({rule.id for rule in ruleset.rules}) == len(ruleset.rules)
        assert (ruleset.version > before.version) is (ruleset.rules != before.rules)
