"""Two transcripts of the same scenarios: what differs, and whether that is known. Pure.

Law 1: a difference without a reason is not known.
Law 2: a difference that is listed and not there any more is a fault too: the list says what is true.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

Transcripts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines of the reference, and ours in their place."""

    scenario: str
    theirs: tuple[str, ...]
    ours: tuple[str, ...]

    def said(self) -> str:
        """For a person."""
        return "\n".join(
            [f"{self.scenario}:", *(f"  - {one}" for one in self.theirs), *(f"  + {one}" for one in self.ours)]
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known: reasons by their short names, and the short name for each difference."""

    reasons: Mapping[str, str]
    differences: Mapping[Difference, str]


def differences(theirs: Transcripts, ours: Transcripts) -> list[Difference]:
    """All of them. Where as many lines stand for as many, each pair is one."""
    found: list[Difference] = []
    for name in theirs:
        matcher = SequenceMatcher(None, theirs[name], ours[name], autojunk=False)
        for kind, start, end, ours_start, ours_end in matcher.get_opcodes():
            if kind != "equal":
                found += _pairs(name, tuple(theirs[name][start:end]), tuple(ours[name][ours_start:ours_end]))
    return found


def _pairs(name: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> Iterator[Difference]:
    if len(theirs) != len(ours):
        yield Difference(name, theirs, ours)
        return
    for one, other in zip(theirs, ours, strict=True):
        yield Difference(name, (one,), (other,))


def unexpected(found: Sequence[Difference], expected: Expected) -> list[str]:
    """A text for each difference that is not known."""
    known = {one for one, reason in expected.differences.items() if expected.reasons.get(reason)}
    return [f"not expected, {one.said()}" for one in found if one not in known]


def outdated(found: Sequence[Difference], expected: Expected) -> list[str]:
    """A text for each difference that is known and not there, and for each reason that nothing has."""
    gone = [one for one in expected.differences if one not in found]
    used = {reason for one, reason in expected.differences.items() if one in found}
    return [
        *(f"expected and not there, {one.said()}" for one in gone),
        *(f"a reason of nothing: {name}" for name in expected.reasons if name not in used),
    ]


def read_expected(path: Path) -> Expected:
    """From a file that `write_expected` wrote."""
    said = json.loads(path.read_text(encoding="utf-8"))
    return Expected(
        said["reasons"],
        {
            Difference(scenario, tuple(theirs), tuple(ours)): reason
            for scenario, entries in said["differences"].items()
            for reason, theirs, ours in entries
        },
    )


def write_expected(path: Path, expected: Expected, found: Sequence[Difference]) -> None:
    """Record these differences, one a line, each with the reason that it had; a new one has none until somebody writes it."""
    listed: dict[str, list[list[object]]] = {}
    for one in found:
        listed.setdefault(one.scenario, []).append([expected.differences.get(one, ""), one.theirs, one.ours])
    path.write_text(
        '{\n"reasons": {\n'
        + _lines(expected.reasons)
        + '\n},\n"differences": {\n'
        + ",\n".join(
            f" {_json(scenario)}: [\n  " + ",\n  ".join(map(_json, entries)) + "\n ]"
            for scenario, entries in listed.items()
        )
        + "\n}\n}\n",
        encoding="utf-8",
    )


def read_transcripts(path: Path) -> Transcripts:
    """From a file that `write_transcripts` wrote."""
    said: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return said


def write_transcripts(path: Path, transcripts: Transcripts) -> None:
    """One line of a transcript a line."""
    path.write_text(
        "{\n"
        + ",\n".join(
            f" {_json(name)}: [\n  " + ",\n  ".join(map(_json, lines)) + "\n ]" for name, lines in transcripts.items()
        )
        + "\n}\n",
        encoding="utf-8",
    )


def _lines(entries: Mapping[str, str]) -> str:
    return ",\n".join(f" {_json(name)}: {_json(text)}" for name, text in entries.items())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
