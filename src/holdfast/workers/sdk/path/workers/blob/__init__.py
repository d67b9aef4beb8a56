"""Blobs and files, as the original has them in a module of their own."""

from holdfast.workers.sdk.web.blobs import Blob, BlobEnding, BlobValue, File

__all__ = ["Blob", "BlobEnding", "BlobValue", "File"]
