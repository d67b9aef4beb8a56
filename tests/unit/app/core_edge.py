"""An edge of the core, for tests of where zones come from."""

from typing import Any


class FakeEdge:
    """The core's edge: it says what was done to it."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def set_certificates(self, certificates: Any) -> None:
        self.did.append(f"certificates {certificates}")

    def set_tls(self, *, certificates: Any, rules: Any) -> None:
        self.did.append(f"tls {list(certificates)} {list(rules)}")
