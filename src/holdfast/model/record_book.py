"""The records of one zone, and what may stand beside what. Records are put in and taken out one by one.

Law 1: what is in a book compiles: a name has addresses or one alias (RFC 1034 §3.6.2), no record stands in it twice, and
no name has more addresses than an edge spreads over.
Law 2: an alias that is put in leads neither back to itself over names that are in the book, nor over more of them than an
edge follows: looking takes a few steps, however many aliases there are. What leads to it is not looked at. Wildcards are not looked at: the name that
one seems to catch may be put in next, and until then the edge explains the loop.
Law 3: a proxied name has no address behind which there is nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.model.dns_record import DnsRecord, RecordError
from holdfast.model.origin_address import is_nowhere, parse_address

# Precedent: Cloudflare's quota of paid plans. All records of a zone are read for each write of one.
MAX_RECORDS = 3_500
# What an edge spreads one name over (`holdfast.edge.records`).
MAX_ADDRESSES = 64
# As many names as an edge looks at to find where an alias ends (`holdfast.edge.route`).
MAX_ALIASES = 8

ABSENT = 81044
QUOTA = 81045
TAKEN = 81053
TAKEN_BY_ALIAS = 81054
IDENTICAL = 81058
PROHIBITED = 9041
LOOP = 9039


class RecordBook:
    """The records of a zone."""

    def __init__(self, records: Iterable[DnsRecord] = ()) -> None:
        """`records` are taken as they are."""
        self._by_id: dict[str, DnsRecord] = {}
        self._by_name: dict[str, dict[str, DnsRecord]] = {}
        for record in records:
            self._keep(record)

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, record_id: str) -> DnsRecord:
        """The record with this id. Raises RecordError."""
        record = self._by_id.get(record_id)
        if record is None:
            raise RecordError(ABSENT, "Record does not exist.", field="id")
        return record

    def remove(self, record_id: str) -> DnsRecord:
        """Take a record out. Raises RecordError."""
        record = self.find(record_id)
        del self._by_id[record_id]
        del self._by_name[record.name][record_id]
        return record

    def put(self, record: DnsRecord) -> None:
        """Put `record` in, in place of the one with its id if there is one. Raises RecordError, and changes nothing then."""
        beside = [one for one in self._by_name.get(record.name, {}).values() if one.id != record.id]
        if record.id not in self._by_id and len(self) >= MAX_RECORDS:
            message = "The record quota has been exceeded."
            raise RecordError(QUOTA, message, detail=f"a zone has at most {MAX_RECORDS} records")
        _check_beside(record, beside)
        _check_dialable(record, beside)
        self._check_loop(record)
        if record.id in self._by_id:
            self.remove(record.id)
        self._keep(record)

    def _keep(self, record: DnsRecord) -> None:
        self._by_id[record.id] = record
        self._by_name.setdefault(record.name, {})[record.id] = record

    def _check_loop(self, record: DnsRecord) -> None:
        passed = [record.name]
        current: DnsRecord | None = record
        while current is not None and current.type == "CNAME":
            if current.content == record.name:
                raise _endless("CNAME content leads back to the record itself.", [*passed, record.name])
            # A loop that is not ours was there before, and is somebody else's to mend.
            if current.content in passed:
                return
            passed.append(current.content)
            following = self._by_name.get(current.content, {}).values()
            current = next((one for one in following if one.id != record.id), None)
            if current is not None and len(passed) > MAX_ALIASES:
                message = (
                    f"CNAME content leads on over more than {MAX_ALIASES} names, and no edge follows it to the end."
                )
                raise _endless(message, passed)


def _endless(message: str, names: list[str]) -> RecordError:
    return RecordError(LOOP, message, field="content", detail=f"got {' -> '.join(names)}")


def _check_beside(record: DnsRecord, beside: list[DnsRecord]) -> None:
    host = f"host {record.name}"
    if any((one.type, one.content) == (record.type, record.content) for one in beside):
        detail = f"{record.type} {record.content} of {host}"
        raise RecordError(IDENTICAL, "An identical record already exists.", detail=detail)
    if record.type == "CNAME" and beside:
        message = "An A, AAAA, or CNAME record with that host already exists."
        raise RecordError(TAKEN, message, field="name", detail=host)
    if any(one.type == "CNAME" for one in beside):
        message = "A CNAME record with that host already exists."
        raise RecordError(TAKEN_BY_ALIAS, message, field="name", detail=host)
    if len(beside) >= MAX_ADDRESSES:
        detail = f"a name has at most {MAX_ADDRESSES} addresses"
        raise RecordError(QUOTA, "The record quota has been exceeded.", field="name", detail=detail)


def _check_dialable(record: DnsRecord, beside: list[DnsRecord]) -> None:
    """One proxied record makes its whole name proxied, as an edge sees it."""
    records = [record, *beside]
    if not any(one.proxied for one in records):
        return
    for one in records:
        address = parse_address(one.content)
        if address is not None and is_nowhere(address):
            detail = f"no origin can be at {one.content}"
            raise RecordError(PROHIBITED, "This DNS record cannot be proxied.", field="content", detail=detail)
