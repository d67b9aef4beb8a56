"""Cursors: where the next page of a list begins, as a text that says nothing to a client.

Law: a cursor is the place of what was shown last, so that what is made and removed meanwhile moves nothing.
"""

from __future__ import annotations

import base64
import binascii
import re

from holdfast.api.faults import invalid


def cursor_of(place: str) -> str:
    """The cursor for what comes after `place`."""
    return base64.urlsafe_b64encode(place.encode()).decode()


def place_of(cursor: str, pattern: re.Pattern[str]) -> re.Match[str]:
    """The place of a cursor, which is as `pattern` says. Raises ApiFault for what is no such cursor."""
    try:
        found = pattern.fullmatch(base64.urlsafe_b64decode(cursor).decode("ascii"))
    except (binascii.Error, ValueError):
        found = None
    if found is None:
        raise invalid("/cursor", "cursor: expected one that a page before this gave")
    return found
