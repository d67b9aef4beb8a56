"""Errors that steps raise to say whether to try again."""

from holdfast.workers.sdk.workflows import NonRetryableError

__all__ = ["NonRetryableError"]
