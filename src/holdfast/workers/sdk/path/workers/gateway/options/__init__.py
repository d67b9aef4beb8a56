"""Options that adapters share."""

from holdfast.workers.sdk.gateway import BaseOptions, EncodeBody

__all__ = ["BaseOptions", "EncodeBody"]
