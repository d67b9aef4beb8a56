"""`env`: the bindings of a script, made of what it was loaded with.

Law 1: a variable that is no text is plain Python, and answers to JavaScript's names too: `env.LIMITS.people`, as `env.LIMITS["people"]`.
Law 2: a binding of the script's own that cannot be what it says is refused when the script is loaded, never when a request comes to use it.
One that names another script is not: that may be deployed later, or anew.
"""

from __future__ import annotations

from typing import Protocol

from holdfast.model.worker_messages import Load
from holdfast.workers.durable.services import ObjectClass
from holdfast.workers.remote.bindings import RemoteNamespace, Service, foreign_class
from holdfast.workers.remote.calling import Way
from holdfast.workers.runtime.loading import LoadError
from holdfast.workers.runtime.neighbours import Neighbours, is_foreign
from holdfast.workers.sdk.context import Env
from holdfast.workers.sdk.values import as_js


class Namespaces(Protocol):
    """Who has the Durable Objects: `durable.objects.Objects`."""

    def namespace(self, class_name: str) -> object:
        """The namespace of a class. Raises KeyError."""


def elsewhere(message: Load, neighbours: Neighbours) -> dict[str, RemoteNamespace]:
    """The script's own classes that bindings name, as another of its processes has them: the way there is by the edge."""
    return {
        one.class_name: RemoteNamespace(
            Way(one.name, neighbours.proof),
            foreign_class(message.name, one.class_name, message.namespaces.get(one.class_name, one.class_name)),
        )
        for one in message.durable_objects
        if not is_foreign(one.script_name, message) and one.class_name not in message.moved
    }


def variables_of(message: Load) -> dict[str, object]:
    """What a module may read at its top level: variables and secrets, by name."""
    return {name: as_js(value) for name, value in message.vars.items()} | message.secrets


def environment_of(message: Load, namespaces: Namespaces, neighbours: Neighbours) -> Env:
    """The bindings of a script. Raises LoadError."""
    bindings = variables_of(message)
    for binding in message.durable_objects:
        far: ObjectClass | None = None
        if is_foreign(binding.script_name, message):
            namespace = neighbours.namespace(binding.script_name, binding.class_name)
            far = foreign_class(binding.script_name, binding.class_name, namespace)
        elif binding.class_name in message.moved:
            # It was this script's own: edges know where it is now.
            far = foreign_class(message.name, binding.class_name, message.moved[binding.class_name])
        if far is not None:
            bindings[binding.name] = RemoteNamespace(Way(binding.name, neighbours.proof), far)
            continue
        try:
            bindings[binding.name] = namespaces.namespace(binding.class_name)
        except KeyError:
            raise LoadError(
                f"durable_objects: {binding.name} names {binding.class_name!r}, which is no class of the script"
            ) from None
    for service in message.services:
        bindings[service.name] = Service(Way(service.name, neighbours.proof))
    return Env(bindings)
