"""Where in a document something stands, so that an error about it says whose it is and finds the member.

Law: a path is spelled as the API spells the members, with ids in brackets: `rulesets[…].rules[…].action_parameters.response`.
"""

from __future__ import annotations

import msgspec

from holdfast.edge.compile_error import CompileError


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a document stands, for an error about it: whose it is, and the path of the rule."""

    owner: str
    path: str
    kind: str = "zone"

    def below(self, name: str) -> Place:
        """The member `name` of it."""
        return Place(self.owner, f"{self.path}.{name}" if self.path else name, self.kind)

    def wrong(self, value: object, expected: str) -> CompileError:
        """The error that `value` stands here."""
        return CompileError(self.owner, self.path, value, expected, kind=self.kind)
