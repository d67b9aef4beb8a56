"""The Workers of `holdfast up --worker`: what its supervisor tells its children, which read the projects no more.

Law: a version that is named here lies on the disk (`holdfast.app.local_project`), complete.
"""

from __future__ import annotations

import msgspec

# The account that it belongs to: none that an installation has.
LOCAL_ACCOUNT = ""


class LocalWorker(msgspec.Struct, frozen=True, kw_only=True):
    """The script `name`, whose directory is named by `key`, as the project was when it was read: `version`.

    `crons` are when it runs by itself. `run` is the same for all children of one `holdfast up`, and for no other. `beside` are those that are served with it, without a host name: its bindings may name them, and theirs it.
    """

    key: str
    name: str
    version: str
    crons: tuple[str, ...] = ()
    run: str = ""
    beside: tuple[LocalWorker, ...] = ()

    @property
    def all(self) -> tuple[LocalWorker, ...]:
        """Those beside it, and it: whoever answers clients is there last."""
        return (*self.beside, self)
