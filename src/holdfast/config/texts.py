"""Options as texts, and as a person reads them: how they are handed to a child process, and what `config show` prints.

Law 1: parsing what `texts_of` gives makes the same options again.
Law 2: `shown` holds no secret; `texts_of` does, and goes to processes of ours only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from holdfast.config.database_url import DatabaseUrl
from holdfast.config.run import Config
from holdfast.config.sources import Effective, spelling_by_name
from holdfast.config.spellings import NO_ADDRESS
from holdfast.config.up import UpOptions

Texts = dict[str, str | list[str]]


def texts_of(options: UpOptions | Config) -> Texts:
    """The fields of a dataclass of options, as `parse` takes them."""
    texts: Texts = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if isinstance(value, tuple):
            if value or field.name in {"listen", "tls_listen"}:
                texts[field.name] = [str(one) for one in value] or [NO_ADDRESS]
        elif isinstance(value, bool):
            if value:
                texts[field.name] = "yes"
        elif value is not None:
            texts[field.name] = value.text if isinstance(value, DatabaseUrl) else str(value)
    return texts


def shown(effective: Effective) -> dict[str, dict[str, Any]]:
    """Key -> {"value", "from"} of every key, without secrets; a value is a text, a number, a list of texts or None."""
    config = effective.config
    return {
        spelling.key: {"value": _shown(getattr(config, name), name, config), "from": effective.origins[name]}
        for name, spelling in spelling_by_name().items()
    }


def as_lines(shown_keys: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line a key, as it would stand in the file (none where nothing is set), with where it came from as a comment."""
    left = [
        f"# {key}: not set" if entry["value"] is None else f"{key} = {_toml(entry['value'])}"
        for key, entry in shown_keys.items()
    ]
    width = max(len(text) for text in left)
    return [f"{text:<{width}}  # {entry['from']}" for text, entry in zip(left, shown_keys.values(), strict=True)]


def _shown(value: object, name: str, config: Config) -> str | int | list[str] | None:
    if name == "database_url":
        return str(config.database)
    if value is None or isinstance(value, int):
        return value
    return [str(one) for one in value] if isinstance(value, tuple) else str(value)


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, str):
        # TOML's basic strings escape as JSON does.
        import json  # noqa: PLC0415  only for a person's eyes

        return json.dumps(value, ensure_ascii=False)
    return str(value)
