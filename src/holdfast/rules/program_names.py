"""The names of a piece of generated code, and what they stand for: constants, values that are kept, values for a moment.

Law 1: generated code holds names of ours and numbers only. Whatever a person wrote (a text, a pattern, a set) is bound to a
name in the namespace that the code runs in, and is never part of its text.
Law 2: a value that several rules want is computed when the first of them wants it, and kept in a local of the running code.
Law 3: the same thing has one name, however often it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


class Unset:
    """What a local holds before its value has been asked for."""

    __slots__ = ()


UNSET = Unset()
# What generated code calls it.
_UNSET = "U"


class Names:
    """The names of one function that is being written, and of those that it calls (`functions`, their texts). `is_within`
    says that it is one of the latter, `has_one_header` that headers are not worth gathering by name: one or two are asked for."""

    __slots__ = (
        "_by_what",
        "_code",
        "_kept",
        "_moments",
        "_setup",
        "_unset",
        "functions",
        "has_one_header",
        "is_within",
        "namespace",
    )

    def __init__(self, caller: Names | None = None) -> None:
        self.is_within = caller is not None
        self.has_one_header = False
        self.namespace: dict[str, Any] = {_UNSET: UNSET} if caller is None else caller.namespace
        self.functions: list[str] = [] if caller is None else caller.functions
        self._by_what: dict[Hashable, str] = {} if caller is None else caller._by_what  # noqa: SLF001
        self._code: dict[str, str] = {}
        self._kept: dict[Hashable, str] = {}
        self._setup: list[str] = []
        self._unset: list[str] = []
        self._moments = 0

    def constant(self, value: Any, *, what: Hashable = None) -> str:  # noqa: ANN401
        """A name for a value that all requests share; the same name for the same `what`, if that is given."""
        if what is not None and (known := self._by_what.get(what)) is not None:
            return known
        name = f"c{len(self.namespace)}"
        self.namespace[name] = value
        if what is not None:
            self._by_what[what] = name
        return name

    def moment(self) -> str:
        """A new name for a value that is used where it is made."""
        self._moments += 1
        return f"t{self._moments}"

    def ready(self, what: Hashable, lines: Callable[[str], list[str]]) -> str:
        """The local that `lines` (given its name) set before the first rule; for what is cheap."""
        name = self._kept.get(what)
        if name is None:
            name = self._kept[what] = f"v{len(self._kept)}"
            self._setup += lines(name)
        return name

    def kept(self, what: Hashable, code: Callable[[], str]) -> str:
        """Code for the value that `code` computes, at its first use only."""
        name = self._kept.get(what)
        if name is None:
            name = self._kept[what] = f"v{len(self._kept)}"
            self._unset.append(name)
            self._code[name] = code()
        return f"({name} if {name} is not {_UNSET} else ({name} := {self._code[name]}))"

    def remembered(self, what: Hashable, key: str, code: Callable[[Names], str]) -> str:
        """Code for the value that `code` computes in a function of its own, once a request, for all who know it as `key`."""
        name = self._by_what.get(what)
        if name is None:
            name = self._by_what[what] = f"f{len(self.functions)}"
            place = len(self.functions)
            self.functions.append("")
            within, key = Names(self), self.constant(key, what=("key", key))
            computed = code(within)
            lines = [
                f"def {name}(context):",
                " computed = context.computed",
                f" value = computed.get({key}, {_UNSET})",
                f" if value is {_UNSET}:",
                *(f"  {line}" for line in ("request = context.request", *within.setup)),
                f"  value = computed[{key}] = {computed}",
                " return value\n",
            ]
            self.functions[place] = "\n".join(lines)
        return f"{name}(context)"

    def closure(self, truth: Callable[..., object]) -> str:
        """Code for what a closure says."""
        return f"{self.constant(truth)}(context)"

    @property
    def setup(self) -> list[str]:
        """The lines before the first rule."""
        unset = [" = ".join([*self._unset, _UNSET])] if self._unset else []
        return [*unset, *self._setup]
