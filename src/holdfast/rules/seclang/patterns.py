"""Patterns, sets of phrases and screens, each compiled once for all deployments of the same rules.

Law: what is compiled here is immutable and depends on the text alone, so sharing it changes nothing but time and memory.
"""

from __future__ import annotations

from holdfast._native import Pattern, PhraseSet


class PatternCache:
    """The patterns and phrase sets of one release. It grows with the rules, never with requests."""

    def __init__(self) -> None:
        self._patterns: dict[tuple[str, bool], Pattern] = {}
        self._phrases: dict[tuple[bytes, ...], PhraseSet] = {}

    def pattern(self, text: str, *, ignore_case: bool = False) -> Pattern:
        """A compiled pattern, which counts what it costs (`holdfast.rules.meter`). Raises ValueError."""
        key = (text, ignore_case)
        if key not in self._patterns:
            self._patterns[key] = Pattern(text, ignore_case=ignore_case, is_metered=True)
        return self._patterns[key]

    def phrases(self, phrases: tuple[bytes, ...]) -> PhraseSet:
        """A compiled set of phrases. Raises ValueError."""
        if phrases not in self._phrases:
            self._phrases[phrases] = PhraseSet(phrases)
        return self._phrases[phrases]

    def statistics(self) -> dict[str, int]:
        """How many there are."""
        linear = sum(pattern.is_linear for pattern in self._patterns.values())
        return {"patterns": len(self._patterns), "linear_patterns": linear, "phrase_sets": len(self._phrases)}
