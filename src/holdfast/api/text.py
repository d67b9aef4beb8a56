"""Texts that clients send and the database keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _without_nul(text: str) -> str:
    # PostgreSQL keeps no NUL in a text; SQLite would, and show it where nobody expects one.
    if "\0" in text:
        raise PydanticCustomError("nul", "expected a text without NUL")
    return text


# A text that both databases keep as it is. (Lone surrogates are refused by pydantic: they are no Unicode text.)
Text = Annotated[str, AfterValidator(_without_nul)]
