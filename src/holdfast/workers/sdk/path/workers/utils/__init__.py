"""What is imported from here of the original's own tools."""

from holdfast.workers.sdk.context import patch_env
from holdfast.workers.sdk.modules import import_from_javascript

__all__ = ["import_from_javascript", "patch_env"]
