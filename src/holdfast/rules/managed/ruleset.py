"""The Holdfast Managed Ruleset: files of rules compiled once, and deployments of them.

Law 1: what does not compile is an error of the file, with its line; a process that loads the ruleset knows that all of it works.
Law 2: a deployment asks each file's `when` once, and of the files for which it holds each rule that is enabled, in order.
Law 3: where nobody knows whether a `when` or a rule holds, it counts as if it did, and the match says so.
Law 4: a match shows what the rule read, but of cookies and credentials only how long they were: events are read by many.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.rules.compile import CompiledExpression, compile_expression
from holdfast.rules.context import EvaluationContext
from holdfast.rules.errors import ParseError
from holdfast.rules.managed.rule_file import RuleFile, RuleFileError, RuleText
from holdfast.rules.managed_ruleset import ManagedRule, Match, Overrides, shown_field
from holdfast.rules.program import Program, compile_program
from holdfast.rules.read_values import ReadValue, values_read_by
from holdfast.rules.undecidable import Undecidable

PHASE = "http_request_firewall_managed"


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to be asked; it holds where `when` of its file does too."""

    rule: ManagedRule
    condition: CompiledExpression
    reads: tuple[ReadValue, ...]

    def match(self, action: str, context: EvaluationContext, *, doubt: str = "") -> Match:
        """What there is to say when it has matched, or may have (`doubt` says why nobody knows)."""
        shown = ((value.name, value.shown(context)) for value in self.reads)
        fields = tuple(shown_field(name, text) for name, text in shown if text is not None)
        if doubt:
            fields = (shown_field("undecided", doubt), *fields)
        return Match(self.rule, action, fields, score=self.rule.score)


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A file ready to be asked."""

    when: CompiledExpression
    rules: tuple[CompiledRule, ...]

    def make_ready(self, pause: Callable[[], None]) -> None:
        """Compile what a deployment as it comes will ask for: it is known then (`rules.program`)."""
        compile_program([one.condition for one in self.rules if one.rule.enabled], pause=pause)


@dataclass(frozen=True, slots=True)
class HoldfastRuleset:
    """A `ManagedRuleset` of files of rules."""

    id: str
    name: str
    description: str
    version: str
    files: tuple[CompiledFile, ...]
    phase: str = PHASE

    @property
    def rules(self) -> tuple[ManagedRule, ...]:
        """All of them, file after file."""
        return tuple(one.rule for file in self.files for one in file.rules)

    def deploy(self, overrides: Overrides) -> FileDeployment:
        """Make it ready, without what is not enabled. An override of what is not there does nothing."""
        groups = []
        for file in self.files:
            settled = [(one, overrides.of(one.rule)) for one in file.rules]
            asked = tuple((one, str(override.action)) for one, override in settled if override.enabled)
            if asked:
                groups.append((file.when, asked))
        return FileDeployment(
            compile_program([when for when, _ in groups]),
            tuple(_Group(compile_program([one.condition for one, _ in asked]), asked) for _, asked in groups),
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """What is enabled of a file: each rule with what it does, in the order in which the program numbers them."""

    program: Program
    rules: tuple[tuple[CompiledRule, str], ...]


@dataclass(frozen=True, slots=True)
class FileDeployment:
    """A `Deployment` of files of rules. `applies` numbers the groups whose `when` holds."""

    applies: Program
    groups: tuple[_Group, ...]

    def matches(self, context: EvaluationContext, skipped: Collection[str]) -> Iterator[Match]:
        """What matches, in order, found as it is asked for."""
        for place in self.applies.matching(context):
            group = self.groups[place]
            for number in group.program.matching(context):
                one, action = group.rules[number]
                if one.rule.id not in skipped:
                    yield one.match(action, context, doubt=number.why if isinstance(number, Undecidable) else "")


def compile_files(files: Sequence[RuleFile]) -> tuple[CompiledFile, ...]:
    """Compile what was read. Raises RuleFileError, also for an id or a ref that two rules have."""
    return tuple(compiled_one_by_one(files))


def compiled_one_by_one(files: Iterable[RuleFile], pause: Callable[[], None] = lambda: None) -> Iterator[CompiledFile]:
    """The same, each file when it is asked for. `pause` is called after each rule."""
    seen = set[str]()
    for file in files:
        for one in file.rules:
            for name in (one.rule.ref, one.rule.id):
                if name in seen:
                    raise RuleFileError(file.name, one.line, f"'{name}' is another rule's already")
                seen.add(name)
        when = _compiled(file, file.when, file.when_line)
        yield CompiledFile(when, tuple(_rule(file, one, pause) for one in file.rules))


def _rule(file: RuleFile, text: RuleText, pause: Callable[[], None]) -> CompiledRule:
    condition = _compiled(file, text.condition, text.line)
    pause()
    return CompiledRule(text.rule, condition, values_read_by(condition.expression))


def _compiled(file: RuleFile, condition: str, line: int) -> CompiledExpression:
    try:
        return compile_expression(condition)
    except ParseError as error:
        raise RuleFileError(file.name, line + error.line - 1, error.sentence) from None
