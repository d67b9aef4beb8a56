"""Cases of the rules language that need no code, and the original's parser to compare with.

A file in `cases/` is a list of cases. A case begins with a line `===` and perhaps a sentence; up to the line `---` is its
input, after it what is expected. Lines that begin with `#` stand only before the first case or between a case's end and the
next `===`; white space around input and expectation is not part of them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import octorules_wirefilter

from holdfast.model.request import Request, TlsFacts
from holdfast.rules.context import Facts, Place
from holdfast.rules.lists import RuleList

CASES = Path(__file__).parent / "cases"
_CASE = re.compile(r"^===(.*)\n((?:.*\n)*?)---\n((?:.*\n)*?)(?=^===|^#|\Z)", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One case: what it is called, what goes in, what comes out."""

    name: str
    given: str
    expected: str

    def __str__(self) -> str:
        return self.name or self.given


def cases(name: str) -> list[Case]:
    """The cases of a file."""
    text = (CASES / name).read_text(encoding="utf-8")
    found = [Case(match[1].strip(), match[2].strip(), match[3].strip()) for match in _CASE.finditer(text)]
    assert len(found) == text.count("\n===") + text.startswith("==="), f"{name}: a case lacks its ---"
    return found


def verdict_of_the_original(expression: str) -> str:
    """ "ok", or the complaint of the original's parser."""
    return (octorules_wirefilter.parse_expression(expression).get("error") or "ok").strip()


# What `evaluation.txt` and `values.txt` are about.
REQUEST = Request(
    "230b030023ae2822-LOC",
    "GET",
    "https",
    "www.example.com",
    "/chat/room.TXT",
    "room=a%20b&empty=&room=c&bare",
    "HTTP/1.1",
    (
        ("Host", "www.example.com"),
        ("Upgrade", "websocket"),
        ("User-Agent", "Test/1.0"),
        ("X-Twice", "one"),
        ("Accept-Language", "en;q=0.5, nl, de;q=0.9"),
        ("Cookie", "session=0123; a%20b=1=2"),
        ("x-twice", "two"),
        ("X-Id", "MTIzYWJj"),
        ("X-Json", '{"network": {"name": "holdfast"}, "ids": [123, -234]}'),
    ),
    "203.0.113.7",
    51234,
    8443,
    TlsFacts("TLSv1.3", "TLS13_AES_256_GCM_SHA384", "www.example.com"),
    True,  # noqa: FBT003
)
LISTS = {
    "office": RuleList.of_addresses(["203.0.113.0/24", "2001:db8::/32"]),
    "sites": RuleList.of_hostnames(["*.example.com", "example.org"]),
    "networks": RuleList.of_asns([64500, 64512]),
}
FACTS = Facts(
    zone_name="example.com",
    zone_plan="ENT",
    now_ms=1_700_000_000_123,
    place=Place(asn=64512, country="NL", continent="EU", region="Fryslân"),
    server_ip="2001:db8::1",
    random_seed="0123456789abcdef",
    lists=LISTS,
)
