"""A namespace of objects as user code has it in `env`, and the stubs that it gives.

Law 1: making an id or a stub makes no object; the first call does.
Law 2: a stub whose object broke while it was asked stays broken, with the same error, as in the original; a new stub reaches a new instance.
Law 3: where another process has the objects by now (a deployment that a request has outlived), a call reaches them there.
"""

# The original's methods keep their names.
# ruff: noqa: N802

from collections.abc import Callable, Generator, Mapping
from contextvars import copy_context
from functools import partial
from typing import Any

from holdfast.workers.durable.actor import Actor
from holdfast.workers.durable.calls import Call, Fetch, Promise, Read, reference_to, send
from holdfast.workers.durable.ids import JURISDICTIONS, DurableObjectId
from holdfast.workers.durable.services import ObjectClass
from holdfast.workers.durable.transfer import copied
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.threads import wherever

FindActor = Callable[[ObjectClass, DurableObjectId], Actor]
# A stub of the object in the process that has it; None where this one has.
FindAway = Callable[[ObjectClass, DurableObjectId], Any]


class Namespace:
    """All objects of a class: `env.ROOM`."""

    __slots__ = ("_away", "_find", "_jurisdiction", "_kind")

    def __init__(
        self, kind: ObjectClass, find: FindActor, jurisdiction: str | None = None, away: FindAway | None = None
    ) -> None:
        self._kind = kind
        self._find = find
        self._jurisdiction = jurisdiction
        self._away = away or _is_here

    def idFromName(self, name: str | int) -> DurableObjectId:
        """The id that this name means, always the same."""
        return self._kind.ids.from_name(name, jurisdiction=self._jurisdiction)

    def idFromString(self, digits: str) -> DurableObjectId:
        """The id that these 64 hex digits are. JsTypeError if they are none of this namespace."""
        try:
            return self._kind.ids.from_string(digits, jurisdiction=self._jurisdiction)
        except TypeError as error:
            raise JsTypeError(str(error)) from None

    def newUniqueId(self, options: Any = None, *, jurisdiction: str | None = None) -> DurableObjectId:  # noqa: ANN401  a mapping
        """An id that no other object has, nor ever will."""
        wanted = jurisdiction or _option(options, "jurisdiction") or self._jurisdiction
        return self._kind.ids.unique(jurisdiction=None if wanted is None else _checked(wanted))

    def get(self, id: DurableObjectId, options: Any = None) -> "Stub":  # noqa: A002, ANN401  the original's names
        """A stub of the object with this id. A location hint is heard and without effect: there is one place."""
        if not isinstance(id, DurableObjectId):
            raise JsTypeError(
                f"Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type 'DurableObjectId' "
                f"(it is {type(id).__name__}; `getByName` takes a name)."
            )
        return self._stub(id)

    def getByName(self, name: str | int, options: Any = None) -> "Stub":  # noqa: ANN401  the original's
        """A stub of the object that this name means."""
        return self._stub(self.idFromName(name))

    def getExisting(self, id: DurableObjectId, options: Any = None) -> "Stub":  # noqa: A002, ANN401  the original's names
        """As `get`."""
        return self.get(id, options)

    def jurisdiction(self, name: str | None = None) -> "Namespace":
        """The same namespace, for objects of a jurisdiction. It is kept with ids; objects are all on this machine."""
        return self._with(None if name is None else _checked(name))

    def deliver(self, digits: str, name: str | None, call: Call) -> None:
        """Have a call of another process reach the object with this id; `name` is what that says it was made from.

        Raises JsTypeError for an id that is none of this namespace.
        """
        found = self.idFromString(digits)
        if name is not None and (named := self._kind.ids.from_name(name)) == found:
            found = named
        send(partial(self._find, self._kind, found), call)

    def _stub(self, id: DurableObjectId) -> "Stub":  # noqa: A002  as `id` of the original
        return Stub(self._kind, id, self._find, self._away)

    def _with(self, jurisdiction: str | None) -> "Namespace":
        return Namespace(self._kind, self._find, jurisdiction, self._away)

    id_from_name = idFromName
    id_from_string = idFromString
    new_unique_id = newUniqueId
    get_by_name = getByName
    get_existing = getExisting

    def __repr__(self) -> str:
        return f"<DurableObjectNamespace {self._kind.name}>"


class Exports:
    """`ctx.exports`: the script's own classes by name, those of objects as namespaces."""

    stays_as = "Exports"

    def __init__(self, classes: Mapping[str, Any]) -> None:
        self.__dict__.update(classes)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  a namespace, or an entrypoint
        raise AttributeError(f"the script exports no class '{name}'")


class Stub:
    """An object to be called: `await stub.method(…)`, `await stub.property`, `await stub.fetch(…)`."""

    __slots__ = ("_away", "_broken", "_find", "_id", "_kind")

    def __init__(self, kind: ObjectClass, id: DurableObjectId, find: FindActor, away: FindAway) -> None:  # noqa: A002  as `id` of the original
        self._kind = kind
        self._id = id
        self._find = find
        self._away = away
        self._broken: BaseException | None = None

    @property
    def id(self) -> DurableObjectId:
        """Whose stub it is."""
        return self._id

    @property
    def name(self) -> str | None:
        """The name that its id was made from, if it was."""
        return self._id.name

    @wherever
    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002, ANN401  as `workers.fetch` takes them
        """Have the object's `fetch` answer a request, or a URL with options. Raises as `Request()` does."""
        request = (
            input if isinstance(input, Request) and init is None and not options else Request(input, init, **options)
        )
        if (away := self._away(self._kind, self._id)) is not None:
            moved: Promise = away.fetch(request)
            return moved
        return self._send(Fetch("fetch", (request,)))

    def dup(self) -> "Stub":
        """Another stub of the same object."""
        return Stub(self._kind, self._id, self._find, self._away)

    def __getattr__(self, name: str) -> "Member":
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Member(self._send, partial(self._away, self._kind, self._id), name)

    def __repr__(self) -> str:
        return f"<DurableObjectStub {self._kind.name} {self._id.name or self._id}>"

    def _send(self, call: Call) -> Promise:
        if self._broken is not None:
            call.fail(self._broken)
        else:
            call.lost = self._lost
            send(partial(self._find, self._kind, self._id), call)
        return Promise(call.future)

    def _lost(self, error: BaseException) -> None:
        self._broken = error


class Member:
    """A name of an object: called, it is a method; awaited, a property."""

    __slots__ = ("_away", "_name", "_send")

    def __init__(self, send_call: Callable[[Call], Promise], away: Callable[[], Any], name: str) -> None:
        self._send = send_call
        self._away = away
        self._name = name

    @wherever
    def __call__(self, *args: Any, **kwargs: Any) -> Promise:  # noqa: ANN401  whatever the method takes
        """Call it, now; awaiting gives its result. DOMException "DataCloneError" for what cannot be sent."""
        if (away := self._away()) is not None:
            moved: Promise = getattr(away, self._name)(*args, **kwargs)
            return moved
        reference = reference_to(copy_context())
        given = {name: copied(one, reference) for name, one in kwargs.items()}
        return self._send(Call(self._name, tuple(copied(one, reference) for one in args), given))

    def __await__(self) -> Generator[Any, Any, Any]:
        if (away := self._away()) is not None:
            moved: Generator[Any, Any, Any] = getattr(away, self._name).__await__()
            return moved
        return self._send(Read(self._name)).__await__()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  never
        raise AttributeError(f"'{self._name}' of an object must be awaited before its '{name}' is read")


def _is_here(_kind: ObjectClass, _id: DurableObjectId) -> None:
    """Nobody else has any object of this namespace."""


def _option(options: Any, name: str) -> Any:  # noqa: ANN401  a mapping, or an object with attributes
    return options.get(name) if isinstance(options, dict) else getattr(options, name, None)


def _checked(jurisdiction: str) -> str:
    if jurisdiction not in JURISDICTIONS:
        raise JsTypeError(f"the jurisdiction is '{jurisdiction}'; expected one of {', '.join(JURISDICTIONS)}")
    return jurisdiction
