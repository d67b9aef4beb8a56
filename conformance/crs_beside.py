"""libmodsecurity beside our engine: the same rules, settings and requests, and where the two find different rules.

Law 1: what only one of the two finds is a difference, but for rules in KNOWN: there the versions of ModSecurity differ from
each other, and we are with version 2, for which the Core Rule Set is written.
Law 2: the two must agree on AGREEMENT of the requests.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import BenchError
from bench.modsecurity import ModSecurity
from conformance.missing import MissingError
from holdfast.model.request import Request

AGREEMENT = 0.99
KNOWN: Mapping[int, str] = {
    920220: "version 3 decodes REQUEST_URI before rules see it",
    920460: "version 3 keeps both backslashes of two in a pattern",
    932200: "version 3 keeps both backslashes of two in a pattern",
    942131: "version 3 looks for matches beyond the first",
    942330: "version 3 lets ^ and $ match at every line",
    941330: "version 3 keeps both backslashes of two in a pattern",
    942440: "version 3 takes a pattern with \\x00 for its part before that",
    949110: "what refuses is not in libmodsecurity's log, but in what it says that is to be done",
}
_ID = re.compile(rb'\[id "(\d+)"\]')


class Beside:
    """libmodsecurity with the rules of these folders, and with `settings` for TX. Raises MissingError."""

    def __init__(self, folders: Sequence[Path], settings: Mapping[str, str]) -> None:
        self._found: set[int] = set()
        self.differences: dict[str, str] = {}
        self.asked = 0
        setup = next(path for name in ("crs-setup.conf", "crs-setup.conf.example") for path in _all(folders, name))
        setters = ",".join(f"setvar:tx.{name}={value}" for name, value in settings.items())
        with TemporaryDirectory() as folder:
            ours = Path(folder) / "settings.conf"
            ours.write_text(f'SecAction "id:900005,phase:1,nolog,pass,{setters}"\n', encoding="utf-8")
            rules = sorted(path for one in folders for path in one.glob("REQUEST*.conf"))
            try:
                self._library = ModSecurity([setup, ours, *rules], log=self._note)
            except BenchError as error:
                raise MissingError(str(error)) from error

    def compare(self, name: str, request: Request, found: Collection[int], known: Collection[int]) -> None:
        """Ask about one request; `found` are the rules that our engine found, of those that it knows."""
        self._found.clear()
        self._library.judge(request)()
        self.asked += 1
        ours, theirs = set(found) - KNOWN.keys(), (self._found & set(known)) - KNOWN.keys()
        if ours != theirs:
            only = [f"only ours: {number}" for number in sorted(ours - theirs)]
            self.differences[name] = "; ".join([*only, *(f"only theirs: {n}" for n in sorted(theirs - ours))])

    def is_well(self) -> bool:
        """Say how it went; whether the two agree (Law 2)."""
        agreed = self.asked - len(self.differences)
        share = agreed / self.asked if self.asked else 0.0
        print(f"  libmodsecurity finds the same rules for {agreed} of {self.asked} requests ({share:.2%})")
        for name, difference in sorted(self.differences.items()):
            print(f"    {name}: {difference}")
        return share >= AGREEMENT

    def _note(self, line: bytes) -> None:
        self._found.update(int(number) for number in _ID.findall(line))


def _all(folders: Sequence[Path], name: str) -> list[Path]:
    return [folder / name for folder in folders if (folder / name).is_file()]
