"""Files with rules into a `Rulebook`.

Law 1: the order is that of Debian's `owasp-crs.load`: the setup first, then by file name.
Law 2: a directive that is unknown is refused; one that is known and has no effect on how a head is judged is left out.

Source: ModSecurity Reference Manual, "Configuration Directives".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from holdfast.rules.seclang.amendments import amend
from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.lines import Directive, directives
from holdfast.rules.seclang.rule_syntax import Actions, DefaultActions, is_chained, make_rule, read_link
from holdfast.rules.seclang.syntax_tree import Action, Link, Marker, Rule, Rulebook
from holdfast.rules.seclang.vocabulary import IGNORED_DIRECTIVES, RULE_DIRECTIVES

SETUP_FILES = ("crs-setup.conf", "crs-setup.conf.example")
# The files of a release have 2 MiB.
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_RULES = 20_000


def read(files: Mapping[str, bytes]) -> Rulebook:
    """Read all `*.conf` files of `files` (name -> content); the others are data that rules name. Raises SecLangError."""
    by_name = {name.rsplit("/", 1)[-1]: content for name, content in files.items()}
    reading = _Reading({name: content for name, content in by_name.items() if not _is_rules(name)})
    for name in ordered(by_name):
        for directive in directives(name, _text(name, by_name[name])):
            reading.take(directive)
        reading.end(Position(name, 1))
    return Rulebook(tuple(reading.items), reading.signature)


def ordered(names: Mapping[str, bytes] | Sequence[str]) -> list[str]:
    """The files with rules among `names`, in the order they are read: the example of a setup only where there is no setup."""
    setup = [name for name in SETUP_FILES if name in names][:1]
    return [*setup, *sorted(name for name in names if _is_rules(name) and name not in SETUP_FILES)]


def _is_rules(name: str) -> bool:
    return name.endswith(".conf") or name in SETUP_FILES


def _text(name: str, content: bytes) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise SecLangError(Position(name, 1), f"{len(content)} bytes", f"at most {MAX_FILE_BYTES} bytes in a file")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SecLangError(Position(name, line), repr(content[error.start : error.start + 8]), "UTF-8") from error


class _Reading:
    """What was read so far, with the chain that is not at its end yet."""

    def __init__(self, data_files: Mapping[str, bytes]) -> None:
        self.items: list[Rule | Marker] = []
        self.signature = ""
        self._data_files = data_files
        self._defaults = DefaultActions()
        self._links: list[tuple[Link, Actions]] = []
        self._written: dict[int, list[tuple[Link, Actions]]] = {}

    def take(self, directive: Directive) -> None:
        """One directive more. Raises SecLangError."""
        if directive.name in IGNORED_DIRECTIVES:
            return
        if directive.name not in RULE_DIRECTIVES:
            raise SecLangError(directive.position, directive.name, "a directive such as SecRule")
        if directive.name in ("secrule", "secaction"):
            self._take_link(directive)
            return
        self.end(directive.position)
        if directive.name == "secdefaultaction":
            self._defaults.read(directive)
        elif directive.name in ("secmarker", "seccomponentsignature"):
            self._take_name(directive)
        else:
            self.items = amend(directive, self.items, self._rebuilt)

    def end(self, position: Position) -> None:
        """Here no chain may be open. Raises SecLangError."""
        if self._links:
            raise SecLangError(self._links[-1][0].position, "chain", f"the next link of the chain before {position}")

    def _take_name(self, directive: Directive) -> None:
        if len(directive.words) != 1:
            raise SecLangError(directive.position, " ".join(directive.words) or None, "one name")
        if directive.name == "secmarker":
            self.items.append(Marker(directive.words[0]))
        else:
            self.signature = directive.words[0]

    def _take_link(self, directive: Directive) -> None:
        link, actions = read_link(directive, self._data_files)
        self._links.append((link, actions))
        if is_chained(actions):
            return
        rule = make_rule(self._links, self._defaults)
        if rule.id in self._written:
            raise SecLangError(rule.position, f"id:{rule.id}", "an id that no other rule has")
        if len(self._written) >= MAX_RULES:
            raise SecLangError(rule.position, f"id:{rule.id}", f"at most {MAX_RULES} rules")
        self._written[rule.id] = self._links
        self._links = []
        self.items.append(rule)

    def _rebuilt(self, rule: Rule, actions: Sequence[Action]) -> Rule:
        """`rule` with more actions on its first link. Targets that were changed before stay so."""
        (head, own), *others = self._written[rule.id]
        more = tuple(action for action in actions if action.name not in ("id", "phase"))
        self._written[rule.id] = [(head, (*own, *more)), *others]
        made = make_rule(self._written[rule.id], self._defaults)
        pairs = zip(rule.links, made.links, strict=True)
        return dataclasses.replace(
            made, links=tuple(dataclasses.replace(new, targets=old.targets) for old, new in pairs)
        )
