"""Texts that clients send and the database keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _storable(text: str) -> str:
    # PostgreSQL keeps no NUL in a text; SQLite would, and show it where nobody expects one.
    if "\0" in text:
        raise PydanticCustomError("nul", "expected a text without NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "expected a text without lone surrogates") from None
    return text


# A text that both databases keep as it is.
Text = Annotated[str, AfterValidator(_storable)]
