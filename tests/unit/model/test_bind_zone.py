"""`holdfast.model.bind_zone`: zone files read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.bind_zone import MAX_CHARS, BindError, BindRecords, parse_bind, written_bind
from holdfast.model.dns_record import DnsRecord, RecordFields, parse_fields

ZONE = "example.com"


def _read(text: str, *, proxied: bool = False) -> list[tuple[int, str, str, str, int, bool]]:
    read = parse_bind(text, zone=ZONE, proxied=proxied)
    return [(line, one.name, one.type, one.content, one.ttl, one.proxied) for line, one in read.fields]


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("", []),
        ("; nothing but a comment\n\n", []),
        ("www A 192.0.2.1", [(1, "www.example.com.", "A", "192.0.2.1", 1, False)]),
        ("@ 60 IN A 192.0.2.1", [(1, "example.com.", "A", "192.0.2.1", 60, False)]),
        ("www IN 1h30m a 192.0.2.1", [(1, "www.example.com.", "A", "192.0.2.1", 5400, False)]),
        ("$TTL 2d\nwww A 192.0.2.1", [(2, "www.example.com.", "A", "192.0.2.1", 172_800, False)]),
        ("$ORIGIN sub\nwww CNAME x", [(2, "www.sub.example.com.", "CNAME", "x.sub.example.com.", 1, False)]),
        ("$ORIGIN .\nwww.example.com CNAME x.org", [(2, "www.example.com.", "CNAME", "x.org.", 1, False)]),
        (
            "a A 1.1.1.1\n A 1.1.1.2",
            [(1, "a.example.com.", "A", "1.1.1.1", 1, False), (2, "a.example.com.", "A", "1.1.1.2", 1, False)],
        ),
        ("a ( 60\n IN ) A 1.1.1.1", [(1, "a.example.com.", "A", "1.1.1.1", 60, False)]),
        ("a A 1.1.1.1 ; x cf_tags=cf-proxied:true", [(1, "a.example.com.", "A", "1.1.1.1", 1, True)]),
        (
            "a A 1.1.1.1 ; cf_tags=cf-proxied:true cf_tags=cf-proxied:false",
            [(1, "a.example.com.", "A", "1.1.1.1", 1, False)],
        ),
        ("a A 1.1.1.1 ; cf_tags=x,cf-proxied:true,y", [(1, "a.example.com.", "A", "1.1.1.1", 1, True)]),
        ("a A 1.1.1.1 ; cf_tags=", [(1, "a.example.com.", "A", "1.1.1.1", 1, False)]),
        ("a A 1.1.1.1 ; cf_tags= cf-proxied:true", [(1, "a.example.com.", "A", "1.1.1.1", 1, False)]),
        ('t TXT "a ; b ( c" "d"\na A 1.1.1.1', [(2, "a.example.com.", "A", "1.1.1.1", 1, False)]),
    ],
)
def test_records_are_read_as_bind_reads_them(text: str, records: list[tuple[int, str, str, str, int, bool]]) -> None:
    assert _read(text) == records


def test_what_is_not_taken_is_counted() -> None:
    read = parse_bind("@ MX 10 mail\n@ SOA a b ( 1 2\n 3 4 5 )\nwww A 1.1.1.1", zone=ZONE, proxied=True)
    assert (len(read.fields), read.total, read.fields[0][1].proxied) == (1, 3, True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("$INCLUDE /etc/passwd", 1),
        ("$GENERATE 1-9999999 a$ A 10.0.0.$", 1),
        ("\n$TTL soon", 2),
        ("$ORIGIN", 1),
        ("a", 1),
        ("a IN", 1),
        ("a 60 IN 60", 1),
        ("a A", 1),
        ("a A 1.1.1.1 1.1.1.2", 1),
        ("a A 1.1.1.1\nb (", 2),
        ("a ) A 1.1.1.1", 1),
        ("$ORIGIN " + "a" * 255, 1),
        ("$ORIGIN " + "a" * 200 + "\n$ORIGIN " + "b" * 100, 2),
    ],
)
def test_what_is_no_zone_file_is_refused_by_its_line(text: str, line: int) -> None:
    with pytest.raises(BindError, match=f"^line {line}:"):
        parse_bind(text, zone=ZONE, proxied=False)


@given(st.text(alphabet=st.characters() | st.sampled_from(list('$();" \t\n\\@.A1smhdw')), max_size=200))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    assert isinstance(_read_or_refused(text), BindRecords | BindError)


def _read_or_refused(text: str) -> BindRecords | BindError:
    try:
        return parse_bind(text, zone=ZONE, proxied=False)
    except BindError as error:
        return error


def test_a_long_line_takes_no_longer_than_its_length() -> None:
    assert isinstance(_read_or_refused("a " + "1" * 200_000 + "x A 1.1.1.1"), BindError)
    assert isinstance(_read_or_refused('a TXT "' + "\\" * 200_001), BindRecords)
    # Were it looked at anew from each of these, it would take hours and not an instant.
    assert isinstance(_read_or_refused("a A 1.1.1.1 ; " + "cf_tags=" * 62_000), BindRecords)
    assert isinstance(_read_or_refused("a A (" + "; cf_tags=\n" * 45_000 + ") 1.1.1.1"), BindRecords)


def test_a_file_has_a_largest_size() -> None:
    assert isinstance(_read_or_refused("\n" * MAX_CHARS), BindRecords)
    with pytest.raises(BindError, match=f"at most {MAX_CHARS} characters"):
        parse_bind("\n" * (MAX_CHARS + 1), zone=ZONE, proxied=False)


_RECORD = st.builds(
    lambda name, kind_content, ttl, proxied, comment: DnsRecord(
        id="1",
        name=name,
        type=kind_content[0],
        content=kind_content[1],
        ttl=1 if proxied else ttl,
        proxied=proxied,
        comment=comment,
        created_on=0,
        modified_on=0,
    ),
    st.sampled_from(["example.com", "www.example.com", "*.a.example.com"]),
    st.sampled_from([("A", "192.0.2.1"), ("AAAA", "2001:db8::1"), ("CNAME", "o.example.net")]),
    st.sampled_from([1, 60, 86_400]),
    st.booleans(),
    st.none()
    | st.text(max_size=30).filter(lambda text: "\0" not in text)
    | st.lists(st.sampled_from(["cf_tags=", "cf-proxied:", "true", "false", ",", " ", ";", "(", '"'])).map("".join),
)


@given(st.lists(_RECORD, max_size=5))
def test_what_is_written_is_read_as_the_same_records(records: list[DnsRecord]) -> None:
    read = parse_bind(written_bind(ZONE, records), zone=ZONE, proxied=False)
    parsed = [parse_fields(fields, zone=ZONE, plan="free") for _, fields in read.fields]
    written = [
        RecordFields(name=one.name, type=one.type, content=one.content, ttl=one.ttl, proxied=one.proxied)
        for one in records
    ]
    assert parsed == written
    assert read.total == len(records)
