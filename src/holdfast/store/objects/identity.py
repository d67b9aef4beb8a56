"""Whose file it is: what names an object among all of a script, in its file and in the table of alarms alike."""

from __future__ import annotations

from typing import NamedTuple


class Identity(NamedTuple):
    """An object: its class, its id (64 hex digits), and the name that the id was made of, if any."""

    class_name: str
    object_id: str
    object_name: str | None = None
