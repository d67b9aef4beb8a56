"""What a run of the suite means. Pure: results in, sentences out.

Law 1: a case through the edge is judged against the same case without it, never alone.
Law 2: both parts of a case count: its behaviour, and how its connection closed (clean or not, and with which code).
"""

from collections.abc import Mapping
from dataclasses import dataclass

# The suite's words, the better first. Words in one row are equally good: INFORMATIONAL judges nothing.
RANKS: tuple[frozenset[str], ...] = (
    frozenset({"OK", "INFORMATIONAL"}),
    frozenset({"NON-STRICT"}),
    frozenset({"UNIMPLEMENTED"}),
    frozenset({"WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "FAILED"}),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case of one agent, in the suite's words. `code` is the Close code the origin's side sent, if any."""

    behavior: str
    close: str
    code: int | None

    @classmethod
    def read(cls, report: Mapping[str, object]) -> "Outcome":
        """From an entry of the suite's `index.json`."""
        code = report["remoteCloseCode"]
        return cls(str(report["behavior"]), str(report["behaviorClose"]), code if isinstance(code, int) else None)

    def said(self) -> str:
        return f"{self.behavior}, close {self.close} {self.code or '-'}"


Results = Mapping[str, Outcome]


def rank(word: str) -> int:
    """How bad a word is; 0 is good. Raises ValueError for a word the suite did not have when this was written."""
    for number, words in enumerate(RANKS):
        if word in words:
            return number
    raise ValueError(f"the suite said {word!r}, which is in no row of RANKS")


def is_worse(through: Outcome, direct: Outcome) -> bool:
    """Whether the edge made this case worse."""
    return rank(through.behavior) > rank(direct.behavior) or rank(through.close) > rank(direct.close)


def worse_cases(through: Results, direct: Results) -> list[str]:
    """A sentence for each case that is worse through the edge, or missing there."""
    sentences = []
    for case in sorted(direct, key=case_key):
        if case not in through:
            sentences.append(f"{case}: was not run")
        elif is_worse(through[case], direct[case]):
            sentences.append(f"{case}: {through[case].said()}; directly: {direct[case].said()}")
    return sentences


def differences(found: Results, expected: Results) -> list[str]:
    """A sentence for each case whose result is not the expected one; cases that were not run are left out."""
    sentences = []
    for case in sorted(found, key=case_key):
        if case not in expected:
            sentences.append(f"{case}: {found[case].said()}; nothing is expected of it yet")
        elif found[case] != expected[case]:
            sentences.append(f"{case}: {found[case].said()}; expected: {expected[case].said()}")
    return sentences


def case_key(case: str) -> tuple[int, ...]:
    """Sorts 9.1 before 10.1."""
    return tuple(int(part) for part in case.split("."))
