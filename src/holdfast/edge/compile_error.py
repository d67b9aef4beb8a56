"""Why a zone, or what an account says for its zones, cannot be served as it is written.

Law: the error names whose it is, the field, the value and what was expected, in one sentence, and repeats no secret.
"""

from __future__ import annotations

from holdfast.errors import shown


class CompileError(ValueError):
    """A zone or an account that does not compile. `field` is a path such as "records[chat.example.com].content".

    `zone` is the zone's name; where `kind` is "account", the account's id.
    """

    def __init__(self, zone: str, field: str, value: object, expected: str, *, kind: str = "zone") -> None:
        given = shown(value) if isinstance(value, str) else shown(repr(value))[1:-1]
        super().__init__(f"{kind} {shown(zone)}, {field}: expected {expected}, got {given}")
        self.zone, self.field, self.value, self.expected = zone, field, value, expected
