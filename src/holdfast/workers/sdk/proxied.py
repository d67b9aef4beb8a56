"""What Pyodide's proxies have and the plain objects here have not to do: conversions, which give the thing itself; and `constructor`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

# Classes that are called otherwise in JavaScript.
_NAMES = {"JsDict": "Object", "ClientFacts": "Object", "JsList": "Array", "JsMap": "Map"}


class Constructor:
    """A class as `thing.constructor` has it: `.name` is JavaScript's, all else the class's. Equal to the class."""

    __slots__ = ("_kind", "name")

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self.name = _NAMES.get(kind.__name__, kind.__name__)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the class has
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._kind, name)

    def __call__(self, *given: Any, **options: Any) -> Any:  # noqa: ANN401 - one of the class
        return self._kind(*given, **options)

    def __eq__(self, other: object) -> bool:
        return (other._kind if isinstance(other, Constructor) else other) is self._kind

    def __hash__(self) -> int:
        return hash(self._kind)

    def __repr__(self) -> str:
        return f"<constructor {self.name}>"


class Constructed:
    """Mixed into what a script asks for its `constructor.name`."""

    __slots__ = ()

    @property
    def constructor(self) -> Constructor:
        """Its class, by JavaScript's name."""
        return Constructor(type(self))


class Proxied(Constructed):
    """Mixed into classes of the web platform."""

    __slots__ = ()

    # What `typeof` says in JavaScript.
    typeof: ClassVar[str] = "object"

    def to_py(self, **_options: object) -> Self:
        """This: what Python has no other form of stays what it is, as with Pyodide."""
        return self

    @property
    def js_id(self) -> int:
        """A number that is this object's as long as it is there."""
        return id(self)
