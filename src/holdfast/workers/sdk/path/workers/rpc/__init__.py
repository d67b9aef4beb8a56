"""What can be sent between objects and Workers."""

from holdfast.workers.sdk.rpc import JsDict, python_from_rpc, python_to_rpc

__all__ = ["JsDict", "python_from_rpc", "python_to_rpc"]
