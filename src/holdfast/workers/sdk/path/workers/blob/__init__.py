"""Blobs and files."""

from holdfast.workers.sdk.web.blobs import Blob, BlobEnding, BlobValue, File

__all__ = ["Blob", "BlobEnding", "BlobValue", "File"]
