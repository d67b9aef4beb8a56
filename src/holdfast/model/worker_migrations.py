"""Which Durable Object classes a script has, and how that changes: migrations, in steps or by declared state. Pure.

Law 1: steps apply in order, all or none: classes in, classes out, or MigrationError, a sentence that names class and step.
Law 2: a class keeps its objects under every name it is given: `namespace` is the first name that it had, and no two living
classes share one.
Law 3: how a class is stored never changes. Who wants that deletes the class, and its objects with it.

Source: Cloudflare, "Durable Objects migrations"; sentences as its clients know them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Storage = Literal["sqlite", "legacy-kv"]
# Steps of one upload, and classes of one script. Precedent: the original allows 500 classes for an account.
MAX_STEPS = 500
MAX_CLASSES = 500


class MigrationError(ValueError):
    """Steps that cannot be applied. `str` is a sentence."""


class DurableClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the objects of a class are stored, and under which name; that is the class's own but for a class that was renamed."""

    namespace: str
    storage: Storage = "sqlite"


class RenamedClass(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """The class `before` is called `after` from now on."""

    before: str
    after: str


class TransferredClass(
    msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "script": "from_script", "after": "to"}
):
    """The class `before` of another script becomes this one's `after`."""

    before: str
    script: str
    after: str


class MigrationStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step, under its `tag`. Within one step, classes are deleted first, then renamed, then made."""

    tag: str = ""
    new_classes: tuple[str, ...] = ()
    new_sqlite_classes: tuple[str, ...] = ()
    renamed_classes: tuple[RenamedClass, ...] = ()
    transferred_classes: tuple[TransferredClass, ...] = ()
    deleted_classes: tuple[str, ...] = ()


class Migrated(msgspec.Struct, frozen=True):
    """The classes after steps, and the namespaces whose objects are gone with them."""

    classes: dict[str, DurableClass]
    deleted: tuple[str, ...] = ()


def migrated(classes: Mapping[str, DurableClass], steps: Sequence[MigrationStep]) -> Migrated:
    """What `steps` make of `classes`. Raises MigrationError."""
    if len(steps) > MAX_STEPS:
        raise MigrationError(f"expected at most {MAX_STEPS} migrations, got {len(steps)}")
    after, deleted = dict(classes), list[str]()
    # What is deleted here has its files still, and nothing that is made here is to meet them.
    before = frozenset(one.namespace for one in classes.values())
    for step in steps:
        _apply(step, after, deleted, before)
    if len(after) > MAX_CLASSES:
        raise MigrationError(f"expected at most {MAX_CLASSES} Durable Object classes, got {len(after)}")
    return Migrated(after, tuple(deleted))


def after_tag(steps: Sequence[MigrationStep], tag: str) -> tuple[MigrationStep, ...] | None:
    """The steps that come after the one with `tag`; all where `tag` is "", None where no step has it."""
    if not tag:
        return tuple(steps)
    places = [place for place, step in enumerate(steps) if step.tag == tag]
    return tuple(steps[places[-1] + 1 :]) if places else None


def declared(classes: Mapping[str, DurableClass], exports: Sequence[MigrationStep]) -> Migrated:
    """The same by declared state (`exports`): each step is one class as it shall be, whether or not it is so already.

    Raises MigrationError.
    """
    return migrated(classes, [needed for step in exports if (needed := _still_needed(step, classes)) is not None])


def with_bound(classes: Mapping[str, DurableClass], names: Sequence[str]) -> dict[str, DurableClass]:
    """`classes`, and those of `names` that nobody declared, stored as a new class is: for trying a project out."""
    missing = tuple(name for name in dict.fromkeys(names) if name not in classes)
    return migrated(classes, [MigrationStep(new_sqlite_classes=missing)]).classes


def _still_needed(step: MigrationStep, classes: Mapping[str, DurableClass]) -> MigrationStep | None:
    for name, storage in (
        *((name, "legacy-kv") for name in step.new_classes),
        *((name, "sqlite") for name in step.new_sqlite_classes),
    ):
        before = classes.get(name)
        if before is None:
            return step
        if before.storage != storage:
            raise MigrationError(
                f"{name!r} is stored as {before.storage}, and cannot become {storage}: delete it first"
            )
        return None
    if any(one.before not in classes and one.after in classes for one in step.renamed_classes):
        return None
    return None if any(name not in classes for name in step.deleted_classes) else step


def _apply(step: MigrationStep, classes: dict[str, DurableClass], deleted: list[str], before: frozenset[str]) -> None:
    where = f" in the migration {step.tag!r}" if step.tag else ""
    for moved in step.transferred_classes:
        raise MigrationError(
            f"cannot transfer {moved.before!r} from the script {moved.script!r}{where}: objects do not move between scripts here"
        )
    for name in step.deleted_classes:
        if name not in classes:
            raise MigrationError(f"cannot delete the class {name!r}{where}: there is none of that name")
        deleted.append(classes.pop(name).namespace)
    for renamed in step.renamed_classes:
        if renamed.before not in classes:
            raise MigrationError(f"cannot rename the class {renamed.before!r}{where}: there is none of that name")
        if renamed.after in classes:
            raise MigrationError(f"cannot rename a class to {renamed.after!r}{where}: there is one of that name")
        classes[renamed.after] = classes.pop(renamed.before)
    _make(step.new_classes, "legacy-kv", classes, where, taken=before)
    _make(step.new_sqlite_classes, "sqlite", classes, where, taken=before)


def _make(
    names: Sequence[str], storage: Storage, classes: dict[str, DurableClass], where: str, *, taken: frozenset[str]
) -> None:
    for name in names:
        if name in classes:
            raise MigrationError(
                f"cannot apply new-class migration to the class {name!r}{where} that is already depended on by "
                "existing Durable Objects"
            )
        classes[name] = DurableClass(namespace=_free(name, classes, taken), storage=storage)


def _free(name: str, classes: Mapping[str, DurableClass], before: frozenset[str]) -> str:
    taken = {*before, *(one.namespace for one in classes.values())}
    return next(one for one in (name, *(f"{name}~{n}" for n in range(2, len(taken) + 3))) if one not in taken)
