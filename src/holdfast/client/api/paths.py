"""Paths of the API, made of parts that may hold anything.

Law: a part stays one part: whatever a person or a server wrote, it cannot leave its place in the path.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_ID = re.compile(r"[0-9a-f]{32}")


def path_of(*parts: str) -> str:
    """A path from parts, each escaped whole: `path_of("zones", id, "settings")` is "/zones/…/settings"."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def is_id(text: str) -> bool:
    """Whether this is an id of the API (32 hexadecimal digits), which no host name with a dot is."""
    return _ID.fullmatch(text) is not None
