"""`holdfast.api.worker_wanting`: what an upload keeps and inherits of the version before it."""

from __future__ import annotations

import pytest

from holdfast.api.faults import ApiFault
from holdfast.api.worker_found import Before
from holdfast.api.worker_upload import Bindings, Upload
from holdfast.api.worker_wanting import wanted_by
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.store.worker_scripts import Script, Version, VersionSettings

ROOMS, OTHER = DurableObjectBinding(name="ROOMS", class_name="Room"), ServiceBinding(name="OTHER", service="other")
SETTINGS = VersionSettings(
    main="entry.py", vars={"A": "b"}, durable_objects=(ROOMS,), services=(OTHER,), version_metadata="V"
)
BEFORE = Before(
    Script(id="s", account_id="a", name="chat", key="k", version_id="v", next_number=2, tags=(), classes={},
           migration_tag="", created_on=0, modified_on=0),
    Version(id="v", script_id="s", number=1, settings=SETTINGS, secrets={"TOKEN": b""}, etag="", author_email="",
            source="upload", message="", tag="", created_on=0),
)  # fmt: skip


def uploaded(*inherited: str) -> Upload:
    return Upload(main="entry.py", files={"entry.py": b""}, bindings=Bindings(vars={}, secrets={}, inherited=inherited),
                  keep=(), compatibility_date="", compatibility_flags=(), limits=WorkerLimits(), tags=None,
                  migrations=None, message="", tag="")  # fmt: skip


def test_bindings_of_every_kind_are_inherited() -> None:
    wanted = wanted_by(uploaded("A", "ROOMS", "OTHER", "V", "TOKEN"), BEFORE, is_strict=True)
    assert (wanted.settings, wanted.kept_secrets) == (SETTINGS, frozenset({"TOKEN"}))


def test_what_is_not_named_is_gone() -> None:
    wanted = wanted_by(uploaded(), BEFORE, is_strict=True)
    assert (wanted.settings, wanted.kept_secrets) == (VersionSettings(main="entry.py"), frozenset())


def test_what_is_nowhere_is_passed_over_or_refused() -> None:
    for before in (None, BEFORE):
        assert wanted_by(uploaded("GONE"), before, is_strict=False).settings == VersionSettings(main="entry.py")
        with pytest.raises(ApiFault, match="inherit binding 'GONE' is invalid"):
            wanted_by(uploaded("GONE"), before, is_strict=True)
