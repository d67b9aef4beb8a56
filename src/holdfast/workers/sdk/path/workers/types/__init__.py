"""Names of types, for annotations."""

from holdfast.workers.sdk.type_names import Body, Context, FetchKwargs, Headers, JSBody, RequestInitCfProperties

__all__ = ["Body", "Context", "FetchKwargs", "Headers", "JSBody", "RequestInitCfProperties"]
