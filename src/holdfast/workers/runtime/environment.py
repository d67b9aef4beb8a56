"""`env`: the bindings of a script, made of what it was loaded with.

Law: a binding that cannot be what it says is refused when the script is loaded, never when a request comes to use it.
"""

from __future__ import annotations

import copy
from typing import Protocol

from holdfast.model.worker_messages import Load
from holdfast.workers.runtime.loading import LoadError
from holdfast.workers.sdk.context import Env


class Namespaces(Protocol):
    """Who has the Durable Objects: `durable.objects.Objects`."""

    def namespace(self, class_name: str) -> object:
        """The namespace of a class. Raises KeyError."""


def environment_of(message: Load, namespaces: Namespaces) -> Env:
    """The bindings of a script. Raises LoadError."""
    bindings: dict[str, object] = copy.deepcopy(message.vars)
    bindings.update(message.secrets)
    for binding in message.durable_objects:
        if binding.script_name not in {"", message.name}:
            raise LoadError(
                f"durable_objects: {binding.name} names a class of another script ({binding.script_name!r}); expected one of {message.name!r}"
            )
        try:
            bindings[binding.name] = namespaces.namespace(binding.class_name)
        except KeyError:
            raise LoadError(
                f"durable_objects: {binding.name} names {binding.class_name!r}, which is no class of the script"
            ) from None
    for service in message.services:
        raise LoadError(f"services: {service.name} names another script ({service.service!r}), which is not supported")
    return Env(bindings)
