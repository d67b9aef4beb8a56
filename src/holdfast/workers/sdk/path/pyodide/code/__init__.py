"""Running code of the other language: there is none."""

from holdfast.workers.sdk.modules import run_js

__all__ = ["run_js"]
