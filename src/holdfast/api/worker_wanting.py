"""From an upload to the version that it asks for, now that it is known which one came before.

Law: what an upload does not name of bindings is gone with it, but for kinds that it says to keep (`keep_bindings`; secrets where it
does not say), and names that it inherits.
"""

from __future__ import annotations

from typing import Any

from holdfast.api.worker_deploying import Wanted
from holdfast.api.worker_found import Before
from holdfast.api.worker_upload import Upload, wanted_bindings
from holdfast.store.worker_scripts import VersionSettings

_FORM = {"multipart/form-data": {"schema": {"type": "object", "required": ["metadata"], "properties": {
    "metadata": {"type": "string", "description": "JSON: main_module, bindings, compatibility_date, migrations …"},
    "files": {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "The modules."},
}}}}  # fmt: skip
# How the description of the API tells the body of an upload.
UPLOAD_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _FORM}}


def wanted_by(upload: Upload, before: Before | None, *, is_strict: bool) -> Wanted:
    """The version that `upload` asks for. Raises ApiFault, if `is_strict` for what it inherits and `before` has not, too."""
    fresh = VersionSettings(
        main=upload.main,
        compatibility_date=upload.compatibility_date,
        compatibility_flags=upload.compatibility_flags,
        limits=upload.limits,
    )
    settings, kept_secrets = wanted_bindings(
        fresh,
        upload.bindings,
        old=before.version.settings if before else fresh,
        secrets=before.version.secrets if before else (),
        keep=upload.keep,
        is_strict=is_strict,
    )
    return Wanted(
        settings=settings,
        files=upload.files,
        secrets=upload.bindings.secrets,
        kept_secrets=kept_secrets,
        migrations=upload.migrations,
        tags=upload.tags,
        message=upload.message,
        tag=upload.tag,
        source="upload",
    )
