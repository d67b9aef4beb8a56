"""Names of types for annotations: they can be used where Python evaluates them, too."""

import typing

from holdfast.workers.sdk import type_names


def test_they_can_be_put_together_at_run_time() -> None:
    for name in ("Body", "Headers", "JSBody"):
        assert type(None) in typing.get_args(getattr(type_names, name) | None)
    assert set(type_names.FetchKwargs.__annotations__) >= {"headers", "body", "method", "redirect", "cf", "fetcher"}
    assert "cacheTtl" in type_names.RequestInitCfProperties.__annotations__
    assert hasattr(type_names.Context, "waitUntil")
