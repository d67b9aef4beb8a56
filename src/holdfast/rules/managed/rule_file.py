"""Read a file of managed rules: each rule with what it is for, its condition, and requests that must and must not match.

    # What the file is about. Lines that begin with "#" before the first rule are for people.
    let DECODED = url_decode(http.request.uri)
    when DECODED contains "<"

    === holdfast-2101 A script element in the target
    categories: xss, injection
    severity: critical
    action: block
    ---
    DECODED matches r"(?i)<script"
    ---
    + GET /search?q=%3Cscript%3E
    - GET /search?q=scripts
    ~ GET /search?q=%3Cb%20onload=x%3E

A request after "+" must match, one after "-" must not, and no other rule that is on may either; after "~" another may.

Law 1: a rule holds where both the file's `when` and its own condition do; `when` is asked once for all of them.
Law 2: a name of a `let`, in capitals, stands for its text wherever it is a word of a later condition. Lines stay lines, so that
       an error can say where it is.
Law 3: whatever is wrong, the error names the file and the line. Nothing is guessed, no field has a default but `default`
       (on) and `id` (made from the ref, and so for ever the same).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from holdfast.rules.managed_ruleset import MANAGED_ACTIONS, ManagedRule

# Points of a rule by its severity, those of the OWASP Core Rule Set.
SCORES: Mapping[str, int] = MappingProxyType({"critical": 5, "error": 4, "warning": 3, "notice": 2})

_LET = re.compile(r"let ([A-Z][A-Z0-9_]*) = (\S.*)")
_HEAD = re.compile(r"=== (holdfast-[0-9]{4}) (\S.*)")
_FIELD = re.compile(r"([a-z]+): (\S.*)")
_CASE = re.compile(r"([+~-]) (\S.*)")
_ID = re.compile(r"[0-9a-f]{32}")
_CATEGORY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_REQUIRED = ("categories", "severity", "action")
_FIELDS = (*_REQUIRED, "default", "id")


class RuleFileError(ValueError):
    """Something in a file of rules that cannot be used: `file` and `line` (from 1) say where."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file, self.line, self.reason = file, line, reason


@dataclass(frozen=True, slots=True)
class RequestCase:
    """A request, in short, that a rule must match (`is_match`) or must not, and its line in the file. `is_benign`: no rule may."""

    is_match: bool
    is_benign: bool
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as it was read: `condition` begins at `line`."""

    rule: ManagedRule
    condition: str
    cases: tuple[RequestCase, ...]
    line: int


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file: its name, what all of its rules demand ("true" if nothing), and the rules in their order."""

    name: str
    when: str
    when_line: int
    rules: tuple[RuleText, ...]


def id_of(ref: str) -> str:
    """The id of the rule `ref`, 32 hex digits."""
    return hashlib.sha256(f"holdfast-managed/{ref}".encode()).hexdigest()[:32]


def read_rule_file(name: str, text: str) -> RuleFile:
    """Read a file. Raises RuleFileError."""
    return _Reader(name, text).file()


class _Reader:
    """One reading of one file, line by line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.at = 0
        self.lets: dict[str, str] = {}

    def error(self, line: int, reason: str) -> RuleFileError:
        return RuleFileError(self.name, line, reason)

    def file(self) -> RuleFile:
        when, when_line = self._opening()
        rules = tuple(self._rules())
        if not rules:
            raise self.error(len(self.lines), "expected a rule, a line that begins with '==='")
        seen: set[str] = set()
        for one in rules:
            if one.rule.ref in seen:
                raise self.error(one.line, f"there are two rules '{one.rule.ref}'")
            seen.add(one.rule.ref)
        return RuleFile(self.name, when, when_line, rules)

    def _opening(self) -> tuple[str, int]:
        """What stands before the first rule: comments, names, and the condition of all."""
        when, when_line = "", 0
        while self.at < len(self.lines) and not self.lines[self.at].startswith("==="):
            line = self.lines[self.at]
            self.at += 1
            if not line.strip() or line.startswith("#"):
                continue
            if when and line.startswith("  "):
                when += "\n" + self._expanded(line)
            elif (match := _LET.fullmatch(line)) is not None and not when:
                self.lets[match[1]] = self._expanded(match[2])
            elif line.startswith("when ") and not when:
                # The word is left out, its place is not: columns stay what they are.
                when, when_line = "     " + self._expanded(line[5:]), self.at
            else:
                raise self.error(self.at, f"expected '#', 'let NAME = ...', 'when ...' or '===', got {line!r:.80}")
        return when or "true", when_line or 1

    def _expanded(self, text: str) -> str:
        for name, meaning in self.lets.items():
            text = re.sub(rf"\b{name}\b", lambda _, meaning=meaning: meaning, text)  # type: ignore[misc]
        return text

    def _rules(self) -> Iterator[RuleText]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            match = _HEAD.fullmatch(line)
            if match is None:
                raise self.error(self.at, f"expected '=== holdfast-NNNN description', got {line!r:.80}")
            rule = self._rule(match[1], match[2], self.at)
            start = self.at + 1
            condition = self._expanded("\n".join(self._until_marker("the condition")))
            if not condition.strip():
                raise self.error(start, f"{rule.ref} has no condition")
            yield RuleText(rule, condition, self._cases(rule.ref), start)

    def _rule(self, ref: str, description: str, head: int) -> ManagedRule:
        fields: dict[str, tuple[str, int]] = {}
        for line in self._until_marker("the fields"):
            match = _FIELD.fullmatch(line)
            if match is None or match[1] not in _FIELDS or match[1] in fields:
                expected = f"one each of {', '.join(_FIELDS)}, as 'name: value'"
                raise self.error(head + len(fields) + 1, f"expected {expected}, got {line!r:.80}")
            fields[match[1]] = match[2], head + len(fields) + 1
        for name in _REQUIRED:
            if name not in fields:
                raise self.error(head, f"{ref} does not say its '{name}'")
        categories = tuple(part.strip() for part in fields["categories"][0].split(","))
        for category in categories:
            if _CATEGORY.fullmatch(category) is None:
                expected = f"expected categories like 'sqli, injection', got {category!r:.80}"
                raise self.error(fields["categories"][1], expected)
        return ManagedRule(
            id=self._id(ref, fields),
            ref=ref,
            description=description,
            categories=categories,
            action=self._one_of(fields, "action", MANAGED_ACTIONS),
            enabled="default" not in fields or self._one_of(fields, "default", ("on", "off")) == "on",
            score=SCORES[self._one_of(fields, "severity", tuple(SCORES))],
        )

    def _id(self, ref: str, fields: Mapping[str, tuple[str, int]]) -> str:
        if "id" not in fields:
            return id_of(ref)
        value, line = fields["id"]
        if _ID.fullmatch(value) is None:
            raise self.error(line, f"expected an id of 32 hex digits, got {value!r:.80}")
        return value

    def _one_of(self, fields: Mapping[str, tuple[str, int]], name: str, allowed: tuple[str, ...]) -> str:
        value, line = fields[name]
        if value not in allowed:
            raise self.error(line, f"expected '{name}' to be {' or '.join(allowed)}, got {value!r:.80}")
        return value

    def _until_marker(self, what: str) -> Iterator[str]:
        """The lines up to "---", which is passed."""
        start = self.at
        while self.at < len(self.lines) and not self.lines[self.at].startswith("==="):
            line = self.lines[self.at]
            self.at += 1
            if line == "---":
                return
            yield line
        raise self.error(start, f"expected '---' after {what}")

    def _cases(self, ref: str) -> tuple[RequestCase, ...]:
        """The cases up to the next rule; lines that begin with "#" and empty ones are for people."""
        cases = []
        while self.at < len(self.lines) and not self.lines[self.at].startswith("==="):
            line = self.lines[self.at]
            self.at += 1
            if not line.strip() or line.startswith("#"):
                continue
            match = _CASE.fullmatch(line)
            if match is None:
                raise self.error(self.at, f"expected '+ request', '- request' or '~ request', got {line!r:.80}")
            cases.append(RequestCase(match[1] == "+", match[1] == "-", match[2], self.at))
        if {case.is_match for case in cases} != {True, False}:
            raise self.error(self.at, f"{ref} needs a request that it must match and one that it must not")
        return tuple(cases)
