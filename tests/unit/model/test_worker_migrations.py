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
    MovedClass,
    RenamedClass,
    Source,
    TransferredClass,
    after_tag,
    declared,
    migrated,
    tried,
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
        (
            [made("Room"), deleted("Room"), made("Room")],
            Migrated({"Room": DurableClass(namespace="Room~2")}, ("Room",)),
        ),
        ([], Migrated({})),
    ],
)
def test_steps_apply_in_their_order(steps: list[MigrationStep], after: Migrated) -> None:
    found = migrated({}, steps)
    assert (found.classes, found.deleted) == (after.classes, after.deleted)


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (
            [made("Room"), made("Room")],
            "Cannot apply new-sqlite-class migration to class 'Room' that is already depended on",
        ),
        ([deleted("Room")], "cannot delete the class 'Room' in the migration 'd'"),
        ([renamed("Room", "Hall")], "cannot rename the class 'Room'"),
        ([made("Room", "Hall"), renamed("Room", "Hall")], "cannot rename a class to 'Hall'"),
        (
            [MigrationStep(transferred_classes=(TransferredClass(before="A", script="other", after="B"),))],
            "cannot transfer the class 'A' of the script 'other': there is no script of that name",
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
    found = declared(before, exports)
    assert (found.classes, found.deleted) == (after.classes, after.deleted)


def test_a_class_cannot_be_stored_otherwise_later() -> None:
    with pytest.raises(MigrationError, match="'Room' is stored as sqlite, and cannot become legacy-kv"):
        declared({"Room": ROOM}, [MigrationStep(new_classes=("Room",))])


def test_a_class_that_is_bound_and_not_declared_is_stored_as_a_new_one_is() -> None:
    assert with_bound({"Room": ROOM}, ("Room", "Hall", "Hall")) == {
        "Room": ROOM,
        "Hall": DurableClass(namespace="Hall", storage="sqlite"),
    }


def transferred(before: str, after: str, script: str = "a", tag: str = "t") -> MigrationStep:
    return MigrationStep(tag=tag, transferred_classes=(TransferredClass(before=before, script=script, after=after),))


HALL = DurableClass(namespace="Hall", storage="legacy-kv")
SOURCES = {"a": Source(key="key of a", classes={"Room": ROOM, "Renamed": HALL})}


def test_a_class_that_was_renamed_is_found_by_its_name_of_before() -> None:
    found = migrated({"Room": ROOM}, [renamed("Room", "Hall"), renamed("Hall", "Ward")], script="a")
    assert found.moved == {
        "Room": MovedClass(class_name="Hall", unique_key="a-Room"),
        "Hall": MovedClass(class_name="Ward", unique_key="a-Room"),
    }


def test_a_class_of_another_script_keeps_how_its_objects_are_stored_and_what_their_ids_are_made_with() -> None:
    found = migrated({}, [transferred("Room", "Place"), transferred("Renamed", "Hall")], script="b", sources=SOURCES)
    assert found.classes == {
        "Place": DurableClass(namespace="a-Room", came_from="key of a"),
        "Hall": DurableClass(namespace="a-Hall", storage="legacy-kv", came_from="key of a"),
    }
    assert [one.before for one in found.transferred] == ["Room", "Renamed"]
    further = migrated(
        {},
        [transferred("Place", "Room", "b")],
        script="c",
        sources={"b": Source(key="key of b", classes=found.classes)},
    )
    assert further.classes == {"Room": DurableClass(namespace="a-Room", came_from="key of b")}


def test_a_class_comes_back_to_where_it_was_and_nothing_new_takes_its_place_meanwhile() -> None:
    assert migrated({}, [made("Room")], script="a", taken=["Room"]).classes["Room"].namespace == "Room~2"
    there = Source(key="key of b", classes={"Place": DurableClass(namespace="a-Room")})
    found = migrated({}, [transferred("Place", "Room", "b")], script="a", sources={"b": there}, taken=["Room"])
    assert found.classes == {"Room": DurableClass(namespace="Room", came_from="key of b")}


@pytest.mark.parametrize(
    ("before", "steps", "sentence"),
    [
        ({}, [transferred("Room", "Room", "gone")], "of the script 'gone' in the migration 't': there is no script of that name"),
        ({}, [transferred("Gone", "Gone")], "the class 'Gone' of the script 'a' .*: it has no class of that name"),
        ({}, [transferred("Room", "A"), transferred("Room", "B")], "it has no class of that name"),
        ({}, [transferred("Room", "Room", "b")], "that is this script: rename it"),
        ({}, [transferred("Room", "no class")], "expected the name of a class for `to`, got 'no class'"),
        ({"Room": ROOM}, [transferred("Room", "Room")], "to 'Room': there is one of that name"),
        ({"X": DurableClass(namespace="a-Room")}, [transferred("Room", "Room")], "whose objects have the same ids"),
        ({}, [transferred("Room", "Room"), deleted("Room")], "cannot delete .*: it is transferred by the same upload"),
        ({}, [transferred("Room", "Room"), renamed("Room", "X")], "cannot rename .*: it is transferred by the same upload"),
    ],
)  # fmt: skip
def test_what_cannot_be_transferred_is_refused(
    before: dict[str, DurableClass], steps: list[MigrationStep], sentence: str
) -> None:
    with pytest.raises(MigrationError, match=sentence):
        migrated(before, steps, script="b", sources=SOURCES)


def test_what_comes_from_another_script_is_new_where_a_project_is_tried_out() -> None:
    step = MigrationStep(new_sqlite_classes=("A",), transferred_classes=transferred("Room", "B").transferred_classes)
    assert set(migrated({}, tried([step])).classes) == {"A", "B"}


def test_a_class_that_is_declared_to_come_comes_once_and_one_that_is_declared_to_have_left_must_have() -> None:
    come, left = transferred("Room", "Room"), MigrationStep(departed_classes=("Room",))
    found = declared({}, [come], script="b", sources=SOURCES)
    assert found.classes == {"Room": DurableClass(namespace="a-Room", came_from="key of a")}
    assert declared(found.classes, [come], script="b", sources={}).transferred == ()
    assert declared({}, [left]).classes == {}
    with pytest.raises(
        MigrationError, match="the class 'Room' has not been transferred: deploy the Worker that it goes to first"
    ):
        declared({"Room": ROOM}, [left])
