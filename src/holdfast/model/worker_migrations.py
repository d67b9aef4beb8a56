"""Which Durable Object classes a script has, and how that changes: migrations, in steps or by declared state. Pure.

Law 1: steps apply in order, all or none: classes in, classes out, or MigrationError, a sentence that names class and step.
Law 2: a class keeps its objects under every name it is given, and in every script it is moved to: `namespace` is the first name that it
had, and no two living classes share what it stands for (`unique_key`).
Law 3: how a class is stored never changes. Who wants that deletes the class, and its objects with it.

Source: Cloudflare, "Durable Objects migrations"; sentences as its clients know them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from holdfast.model.object_names import namespace_of, unique_key

Storage = Literal["sqlite", "legacy-kv"]
# Steps of one upload, and classes of one script. Precedent: the original allows 500 classes for an account.
MAX_STEPS = 500
MAX_CLASSES = 500


class MigrationError(ValueError):
    """Steps that cannot be applied. `str` is a sentence."""


class ClassTaken(MigrationError):
    """A class that is to be made is there already."""


class DurableClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the objects of a class are stored, and under which name: that is the class's own, that which it had before it was renamed, or
    the `unique_key` of a class that came from another script. `came_from` is the key of that script, in whose directory the files may
    still be."""

    namespace: str
    storage: Storage = "sqlite"
    came_from: str = ""


class MovedClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a class went, for bindings that name it as before: it is `class_name` of `script` ("": the same one) now. `unique_key` is what
    ids of its objects are made with, as ever."""

    class_name: str
    unique_key: str
    script: str = ""


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
    """One step, under its `tag`. Within one step, classes are deleted first, then renamed, then moved here, then made. `departed_classes` are
    those that are said to have moved to another script: by `exports` alone."""

    tag: str = ""
    new_classes: tuple[str, ...] = ()
    new_sqlite_classes: tuple[str, ...] = ()
    renamed_classes: tuple[RenamedClass, ...] = ()
    transferred_classes: tuple[TransferredClass, ...] = ()
    deleted_classes: tuple[str, ...] = ()
    departed_classes: tuple[str, ...] = ()


class Migrated(msgspec.Struct, frozen=True):
    """The classes after steps, the namespaces whose objects are gone with them, where renamed classes went, and what came from other
    scripts."""

    classes: dict[str, DurableClass]
    deleted: tuple[str, ...] = ()
    moved: dict[str, MovedClass] = {}
    transferred: tuple[TransferredClass, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Another script whose classes may be moved here: its key, and its classes."""

    key: str
    classes: Mapping[str, DurableClass]


def migrated(
    classes: Mapping[str, DurableClass],
    steps: Sequence[MigrationStep],
    *,
    script: str = "",
    sources: Mapping[str, Source] | None = None,
    taken: Collection[str] = (),
) -> Migrated:
    """What `steps` make of the `classes` of `script`. `sources` are the scripts that steps move classes from, by name; `taken` are
    namespaces of classes that went elsewhere. Raises MigrationError."""
    if len(steps) > MAX_STEPS:
        raise MigrationError(f"expected at most {MAX_STEPS} migrations, got {len(steps)}")
    # What is deleted here has its files still, and nothing that is made here is to meet them.
    before = frozenset(one.namespace for one in classes.values())
    going = _Going(script, dict(classes), before, frozenset(taken), sources or {})
    for step in steps:
        going.apply(step)
    if len(going.classes) > MAX_CLASSES:
        raise MigrationError(f"expected at most {MAX_CLASSES} Durable Object classes, got {len(going.classes)}")
    moved = {name: one for name, one in going.moved.items() if name not in going.classes}
    return Migrated(going.classes, tuple(going.deleted), moved, tuple(going.transferred))


def after_tag(steps: Sequence[MigrationStep], tag: str) -> tuple[MigrationStep, ...] | None:
    """The steps that come after the one with `tag`; all where `tag` is "", None where no step has it."""
    if not tag:
        return tuple(steps)
    places = [place for place, step in enumerate(steps) if step.tag == tag]
    return tuple(steps[places[-1] + 1 :]) if places else None


def declared(
    classes: Mapping[str, DurableClass],
    exports: Sequence[MigrationStep],
    *,
    script: str = "",
    sources: Mapping[str, Source] | None = None,
    taken: Collection[str] = (),
) -> Migrated:
    """The same by declared state (`exports`): each step is one class as it shall be, whether or not it is so already.

    Raises MigrationError.
    """
    return migrated(
        classes,
        [needed for step in exports if (needed := _still_needed(step, classes)) is not None],
        script=script,
        sources=sources,
        taken=taken,
    )


def with_bound(classes: Mapping[str, DurableClass], names: Sequence[str]) -> dict[str, DurableClass]:
    """`classes`, and those of `names` that nobody declared, stored as a new class is: for trying a project out."""
    missing = tuple(name for name in dict.fromkeys(names) if name not in classes)
    return migrated(classes, [MigrationStep(new_sqlite_classes=missing)]).classes


def tried(steps: Sequence[MigrationStep]) -> tuple[MigrationStep, ...]:
    """`steps` for trying a project out by itself: what comes from other scripts is new then."""
    return tuple(
        msgspec.structs.replace(
            step,
            transferred_classes=(),
            new_sqlite_classes=(*step.new_sqlite_classes, *(one.after for one in step.transferred_classes)),
        )
        for step in steps
    )


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
    if here := next((name for name in step.departed_classes if name in classes), None):
        raise MigrationError(
            f"the class {here!r} has not been transferred: deploy the Worker that it goes to first, with the state expecting-transfer"
        )
    if step.departed_classes or any(one.after in classes for one in step.transferred_classes):
        return None
    if any(one.before not in classes and one.after in classes for one in step.renamed_classes):
        return None
    return None if any(name not in classes for name in step.deleted_classes) else step


class _Going:
    """Steps that are being applied."""

    def __init__(
        self,
        script: str,
        classes: dict[str, DurableClass],
        before: frozenset[str],
        gone: frozenset[str],
        sources: Mapping[str, Source],
    ) -> None:
        self._script, self._sources = script, sources
        self._before, self._taken = before, before | gone
        self.classes = classes
        self.deleted: list[str] = []
        self.moved: dict[str, MovedClass] = {}
        self.transferred: list[TransferredClass] = []

    def apply(self, step: MigrationStep) -> None:
        where = f" in the migration {step.tag!r}" if step.tag else ""
        for name in step.deleted_classes:
            self._delete(name, where)
        for renamed in step.renamed_classes:
            self._rename(renamed, where)
        for transferred in step.transferred_classes:
            self._transfer(transferred, where)
        _make(step.new_classes, "legacy-kv", self.classes, where, taken=self._taken)
        _make(step.new_sqlite_classes, "sqlite", self.classes, where, taken=self._taken)

    def _delete(self, name: str, where: str) -> None:
        if name not in self.classes:
            raise MigrationError(f"cannot delete the class {name!r}{where}: there is none of that name")
        if any(one.after == name for one in self.transferred):
            raise MigrationError(f"cannot delete the class {name!r}{where}: it is transferred by the same upload")
        self.deleted.append(self.classes.pop(name).namespace)
        # Also of a class that these steps have made: who applies all of them each time (`app.local_project`) has its files from before.
        self._taken |= {self.deleted[-1]}

    def _rename(self, one: RenamedClass, where: str) -> None:
        if one.before not in self.classes:
            raise MigrationError(f"cannot rename the class {one.before!r}{where}: there is none of that name")
        if one.after in self.classes:
            raise MigrationError(f"cannot rename a class to {one.after!r}{where}: there is one of that name")
        if any(other.after == one.before for other in self.transferred):
            raise MigrationError(f"cannot rename the class {one.before!r}{where}: it is transferred by the same upload")
        kept = self.classes[one.after] = self.classes.pop(one.before)
        self.moved[one.before] = MovedClass(class_name=one.after, unique_key=unique_key(self._script, kept.namespace))

    def _transfer(self, one: TransferredClass, where: str) -> None:
        what = f"cannot transfer the class {one.before!r} of the script {one.script!r}{where}"
        source = self._sources.get(one.script)
        if one.script == self._script:
            raise MigrationError(f"{what}: that is this script: rename it")
        if source is None:
            raise MigrationError(f"{what}: there is no script of that name")
        if one.before not in source.classes or any(
            (other.script, other.before) == (one.script, one.before) for other in self.transferred
        ):
            raise MigrationError(f"{what}: it has no class of that name")
        if not one.after.isidentifier():
            raise MigrationError(f"{what}: expected the name of a class for `to`, got {one.after[:80]!r}")
        if one.after in self.classes:
            raise MigrationError(f"{what} to {one.after!r}: there is one of that name")
        before = source.classes[one.before]
        key = unique_key(one.script, before.namespace)
        namespace = namespace_of(self._script, key)
        if namespace in {*self._before, *(other.namespace for other in self.classes.values())}:
            raise MigrationError(f"{what}: a class is, or was, here whose objects have the same ids")
        self.classes[one.after] = DurableClass(namespace=namespace, storage=before.storage, came_from=source.key)
        self.transferred.append(one)


def _make(
    names: Sequence[str], storage: Storage, classes: dict[str, DurableClass], where: str, *, taken: frozenset[str]
) -> None:
    for name in names:
        if name in classes:
            kind = "new-sqlite-class" if storage == "sqlite" else "new-class"
            raise ClassTaken(
                f"Cannot apply {kind} migration to class '{name}' that is already depended on by existing Durable Objects{where}"
            )
        classes[name] = DurableClass(namespace=_free(name, classes, taken), storage=storage)


def _free(name: str, classes: Mapping[str, DurableClass], before: frozenset[str]) -> str:
    taken = {*before, *(one.namespace for one in classes.values())}
    return next(one for one in (name, *(f"{name}~{n}" for n in range(2, len(taken) + 3))) if one not in taken)
