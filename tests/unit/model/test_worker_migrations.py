"""Durable Object classes, and what migrations make of them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_migrations import (
    MAX_CLASSES,
    MAX_STEPS,
    DurableClass,
    Migrated,
    MigrationError,
    MigrationStep,
    RenamedClass,
    TransferredClass,
    after_tag,
    declared,
    migrated,
    with_bound,
)

ROOM = DurableClass(namespace="Room")


def renamed(before: str, after: str, tag: str = "r") -> MigrationStep:
    return MigrationStep(tag=tag, renamed_classes=(RenamedClass(before=before, after=after),))


def made(*names: str) -> MigrationStep:
    return MigrationStep(tag="n", new_sqlite_classes=names)


def deleted(*names: str) -> MigrationStep:
    return MigrationStep(tag="d", deleted_classes=names)


@pytest.mark.parametrize(
    ("steps", "after"),
    [
        ([made("Room")], Migrated({"Room": ROOM})),
        ([MigrationStep(new_classes=("Old",))], Migrated({"Old": DurableClass(namespace="Old", storage="legacy-kv")})),
        ([made("Room"), renamed("Room", "Hall")], Migrated({"Hall": ROOM})),
        ([made("Room"), deleted("Room")], Migrated({}, ("Room",))),
        ([made("Room"), renamed("Room", "Hall"), deleted("Hall")], Migrated({}, ("Room",))),
        # The name is free again, what is stored under it is not.
        (
            [made("Room"), renamed("Room", "Hall"), made("Room")],
            Migrated({"Hall": ROOM, "Room": DurableClass(namespace="Room~2")}),
        ),
        ([made("Room"), deleted("Room"), made("Room")], Migrated({"Room": ROOM}, ("Room",))),
        ([], Migrated({})),
    ],
)
def test_steps_apply_in_their_order(steps: list[MigrationStep], after: Migrated) -> None:
    assert migrated({}, steps) == after


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([made("Room"), made("Room")], "cannot apply new-class migration to the class 'Room'"),
        ([deleted("Room")], "cannot delete the class 'Room' in the migration 'd'"),
        ([renamed("Room", "Hall")], "cannot rename the class 'Room'"),
        ([made("Room", "Hall"), renamed("Room", "Hall")], "cannot rename a class to 'Hall'"),
        (
            [MigrationStep(transferred_classes=(TransferredClass(before="A", script="other", after="B"),))],
            "objects do not move between scripts",
        ),
        ([made(*(f"C{n}" for n in range(MAX_CLASSES + 1)))], f"at most {MAX_CLASSES} Durable Object classes"),
        ([MigrationStep()] * (MAX_STEPS + 1), f"at most {MAX_STEPS} migrations"),
    ],
)
def test_steps_that_do_not_apply_are_refused_with_class_and_step(steps: list[MigrationStep], sentence: str) -> None:
    with pytest.raises(MigrationError, match=sentence):
        migrated({}, steps)


def test_what_is_given_is_not_changed() -> None:
    before = {"Room": ROOM}
    migrated(before, [renamed("Room", "Hall")])
    assert before == {"Room": ROOM}


_NAMES = st.sampled_from(["A", "B", "C"])
_STEPS = st.lists(
    st.one_of(
        _NAMES.map(made),
        _NAMES.map(deleted),
        st.tuples(_NAMES, _NAMES).map(lambda pair: renamed(*pair)),
        _NAMES.map(lambda name: MigrationStep(tag="k", new_classes=(name,))),
    ),
    max_size=12,
)


@given(_STEPS)
def test_living_classes_never_share_what_is_stored(steps: list[MigrationStep]) -> None:
    try:
        after = migrated({}, steps).classes
    except MigrationError:
        return
    assert len({one.namespace for one in after.values()}) == len(after)


@given(_STEPS, st.integers(0, 12))
def test_steps_may_be_applied_in_two_goes(steps: list[MigrationStep], at: int) -> None:
    try:
        whole = migrated({}, steps)
    except MigrationError:
        return
    first = migrated({}, steps[:at])
    second = migrated(first.classes, steps[at:])
    assert second.classes == whole.classes
    assert first.deleted + second.deleted == whole.deleted


@pytest.mark.parametrize(("tag", "left"), [("", ("v1", "v2", "v3")), ("v1", ("v2", "v3")), ("v3", ()), ("v0", None)])
def test_only_steps_after_the_one_applied_last_are_applied(tag: str, left: Sequence[str] | None) -> None:
    found = after_tag([MigrationStep(tag=one) for one in ("v1", "v2", "v3")], tag)
    assert (None if found is None else tuple(one.tag for one in found)) == left


@pytest.mark.parametrize(
    ("before", "exports", "after"),
    [
        ({}, [made("Room")], Migrated({"Room": ROOM})),
        ({"Room": ROOM}, [made("Room")], Migrated({"Room": ROOM})),
        ({"Room": ROOM}, [renamed("Room", "Hall")], Migrated({"Hall": ROOM})),
        ({"Hall": ROOM}, [renamed("Room", "Hall")], Migrated({"Hall": ROOM})),
        ({"Room": ROOM}, [deleted("Room")], Migrated({}, ("Room",))),
        ({}, [deleted("Room")], Migrated({})),
    ],
)
def test_declared_classes_are_changed_only_where_they_are_not_so_already(
    before: dict[str, DurableClass], exports: list[MigrationStep], after: Migrated
) -> None:
    assert declared(before, exports) == after


def test_a_class_cannot_be_stored_otherwise_later() -> None:
    with pytest.raises(MigrationError, match="'Room' is stored as sqlite, and cannot become legacy-kv"):
        declared({"Room": ROOM}, [MigrationStep(new_classes=("Room",))])


def test_a_class_that_is_bound_and_not_declared_is_stored_as_a_new_one_is() -> None:
    assert with_bound({"Room": ROOM}, ("Room", "Hall", "Hall")) == {
        "Room": ROOM,
        "Hall": DurableClass(namespace="Hall", storage="sqlite"),
    }
