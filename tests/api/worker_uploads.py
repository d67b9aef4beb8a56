"""Uploads of Workers, as clients send them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.api.harness import Api

MODULE = b"from workers import Response, WorkerEntrypoint\n"
ROOM = {"type": "durable_object_namespace", "name": "ROOMS", "class_name": "Room"}
ROOM_MADE = {"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]}


def upload(files: Mapping[str, bytes] | None = None, **metadata: Any) -> dict[str, Any]:
    """What `httpx` takes to send modules: parts named as files are, as wrangler does."""
    given = {"entry.py": MODULE} if files is None else files
    described = {"main_module": "entry.py", "compatibility_date": "2026-11-01", **metadata}
    parts: list[tuple[str, Any]] = [("metadata", (None, json.dumps(described), "application/json"))]
    parts += [(name, (name, content, "text/x-python")) for name, content in given.items()]
    return {"files": parts}


def script_path(api: Api, name: str = "chat") -> str:
    """Where a script of the account is."""
    return f"/accounts/{api.account_id}/workers/scripts/{name}"
