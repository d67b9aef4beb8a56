"""The groups of verbs over the API, for whoever composes the command.

Law: this table imports none of them, so that a command which needs no API does not pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import typer

# The name of a group -> what its help says in one line.
GROUPS: Mapping[str, str] = {
    "zone": "Zones: the domains at the edge.",
    "setting": "Settings of a zone, such as the WebSockets switch.",
    "record": "DNS records: a proxied one is the origin of its name.",
    "token": "API tokens: who may ask, and for what.",
    "cert": "Certificates that a zone shows to its clients.",
    "connections": "WebSockets that are open: list, watch, follow or close them.",
    "events": "Security events: what the edge did with requests, and by which rule.",
}


def app_of(group: str) -> typer.Typer:
    """The typer app of a group, imported now. Raises KeyError for a name that is no group's."""
    help_of_group = GROUPS[group]
    module = import_module(f"holdfast.client.verbs.{group}")
    return cast("typer.Typer", module.app(help=help_of_group))
