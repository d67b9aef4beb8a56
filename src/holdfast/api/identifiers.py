"""Ids in paths: 32 hexadecimal digits. What cannot be one is no route, as the original says it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Path, Request

from holdfast.api.access import ID_PATTERN
from holdfast.api.faults import no_route

_ID = re.compile(ID_PATTERN)


def path_id(name: str) -> type[str]:
    """The annotation of a parameter that reads the id `name` from the path. Declare it after `access`: who may not come in
    is told that first."""

    def read(request: Request, value: str = Path(alias=name)) -> str:
        if not _ID.fullmatch(value):
            raise no_route(request.url.path)
        return value

    return Annotated[str, Depends(read)]  # type: ignore[return-value]  # an annotation is no type to mypy
