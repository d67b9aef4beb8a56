"""What Pyodide's proxies have and the plain objects here have not to do: conversions, which give the thing itself."""

from __future__ import annotations

from typing import ClassVar, Self


class Proxied:
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
