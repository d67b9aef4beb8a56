"""An object's ledger over the lives of processes, whatever happens in which order.

Law 1: an event that can still be sent again has left a trace exactly if what it wrote is in the file.
Law 2: an output is in the file, in its order, from its commit until the links have taken it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.workers.durable.ledger_scene import Scene, text

SIDS, SEQS = range(1, 4), range(1, 7)
SID, SEQ = st.sampled_from(SIDS), st.sampled_from(SEQS)


class Lives(RuleBasedStateMachine):
    """See above: three sockets with six events each."""

    @initialize()
    def begins(self) -> None:
        self.directory = TemporaryDirectory()
        self.scene = Scene(Path(self.directory.name) / "x.sqlite")
        # Socket -> up to which of its events the edge has acknowledgements: the others it sends again.
        self.acknowledged = dict.fromkeys(SIDS, 0)
        self.number = 0
        # Outputs that wait for a commit, and those of commits whose links have taken nothing since.
        self.waits: list[str] = []
        self.owed: list[str] = []

    def teardown(self) -> None:
        self.scene.file.close()
        self.directory.cleanup()

    def is_outermost(self) -> bool:
        """Whether a commit can be."""
        return not self.scene.file.depth

    def can_come_again(self, sid: int, seq: int) -> bool:
        return seq > self.acknowledged[sid]

    @rule(sid=SID, seq=SEQ)
    def writes(self, sid: int, seq: int) -> None:
        if self.can_come_again(sid, seq):
            self.scene.writes((sid, seq), f"{sid}/{seq}")

    @rule()
    def says(self) -> None:
        self.scene.writes(None, "other")
        self.number += 1
        self.waits.append(str(self.number))

    @precondition(is_outermost)
    @rule()
    def commits(self) -> None:
        self.scene.commits(*map(text, self.waits))
        if not self.scene.links.has_taken:
            self.owed += self.waits
        self.waits = []
        after_a_kill = Scene(self.scene.file.path)
        for sid, last in self.acknowledged.items():
            after_a_kill.session(sid, last)
        self.check_traces(after_a_kill)
        after_a_kill.file.close()

    @precondition(is_outermost)
    @rule(sid=SID, seq=SEQ)
    def acknowledges(self, sid: int, seq: int) -> None:
        self.commits()
        self.acknowledged[sid] = max(self.acknowledged[sid], seq)
        self.scene.acknowledges(sid, self.acknowledged[sid])

    @precondition(is_outermost)
    @rule(sid=SID)
    def socket_ends(self, sid: int) -> None:
        self.commits()
        self.acknowledged[sid] = max(SEQS)
        self.scene.sessions.pop(sid, None)
        self.scene.ledger.closed(sid)

    @rule()
    def links_take_or_do_not(self) -> None:
        self.scene.links.has_taken = not self.scene.links.has_taken
        self.owed = []

    @rule()
    def begins_within(self) -> None:
        self.scene.file.begin_nested()

    @precondition(lambda self: not self.is_outermost())
    @rule(keep=st.booleans())
    def ends_within(self, keep: bool) -> None:
        self.scene.file.end_nested(self.scene.file.depth, keep=keep)

    @rule()
    def rolls_back(self) -> None:
        self.scene.file.rollback()
        self.waits = []

    @rule(has_all_sockets=st.booleans())
    def is_killed(self, has_all_sockets: bool) -> None:
        self.scene = self.scene.again(has_all_sockets=has_all_sockets)
        self.waits = []
        for sid, last in self.acknowledged.items():
            if last < max(SEQS):
                self.scene.session(sid, last)

    @invariant()
    def has_traces_of_what_is_there(self) -> None:
        self.check_traces(self.scene)

    def check_traces(self, scene: Scene) -> None:
        keys = scene.file.read(" SELECT key FROM _cf_KV").fetchall() if scene.file.exists else []
        there = {key for (key,) in keys}
        for sid in SIDS:
            for seq in SEQS:
                if self.can_come_again(sid, seq):
                    assert scene.ledger.was_handled(sid, seq) is (f"{sid}/{seq}" in there)

    @invariant()
    def has_what_is_owed(self) -> None:
        kept = [data for one in self.scene.said for data in one]
        assert [data for data in kept if data in self.owed] == self.owed


# What makes thousands of files takes a busy machine minutes.
TestLives = pytest.mark.timeout(600)(Lives.TestCase)
TestLives.settings = settings(max_examples=60, stateful_step_count=40)
