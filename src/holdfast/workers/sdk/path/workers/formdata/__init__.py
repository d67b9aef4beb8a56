"""Forms."""

from holdfast.workers.sdk.web.forms import FormData, FormDataValue

__all__ = ["FormData", "FormDataValue"]
