"""Forms with their fields and files, as the original has them in a module of their own."""

from holdfast.workers.sdk.web.forms import FormData, FormDataValue

__all__ = ["FormData", "FormDataValue"]
