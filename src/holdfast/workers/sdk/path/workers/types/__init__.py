"""Names of types, for annotations."""

from holdfast.workers.sdk.types import Body, Context, FetchKwargs, Headers, JSBody, RequestInitCfProperties

__all__ = ["Body", "Context", "FetchKwargs", "Headers", "JSBody", "RequestInitCfProperties"]
