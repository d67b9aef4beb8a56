"""Every setting, record and rule of a zone has its effect, seen from the client and at the origin."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.zone_document import (
    CertificateDocument,
    OriginRuleDocument,
    RecordDocument,
    StrictTransportSecurity,
    ZoneDocument,
)
from holdfast.rules.context import Place
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.origin import Head
from tests.integration.origin_paths import PAGE
from tests.integration.zone_parts import KEY, ORIGIN_IP, Bench, ZoneEdge, bench
from tests.unit.edge.origins import a_document, a_record, zone_id

HOST = "chat.example.com"
HSTS = StrictTransportSecurity(enabled=True, max_age=600, include_subdomains=True, preload=True, nosniff=True)


@pytest.fixture
def own(authority: Authority) -> Pair:
    return authority.issue("own.test", common_name="own")


@pytest.fixture
def parts(tmp_path: Path, own: Pair) -> Iterator[Bench]:
    with bench(tmp_path, own) as everything:
        yield everything


@pytest.fixture
def edge(parts: Bench) -> ZoneEdge:
    running = parts.start_edge(place_of=lambda address: Place(country="NL" if address == "127.0.0.1" else None))
    parts.control.welcome()
    return running


def zone(name: str = "example.com", *records: RecordDocument, **fields: Any) -> ZoneDocument:
    """A zone whose names go to the origin, with further records."""
    own_records = (a_record(name, ORIGIN_IP), a_record(f"*.{name}", ORIGIN_IP))
    return a_document(name, *own_records, *records, **fields)


def ask(
    parts: Bench, target: str, *lines: str, host: str = HOST, tls: ssl.SSLContext | None = None, name: str = HOST
) -> tuple[wire.Answer, bytes]:
    """An ordinary request to the edge, and its answer."""
    with wire.connect(parts.tls if tls else parts.plain, tls=tls, name=name) as client:
        return client.request(wire.request("GET", target, *lines, "Connection: close", host=host))


def upgrade(parts: Bench, *, host: str = HOST, tls: ssl.SSLContext | None = None) -> wire.Answer:
    with wire.connect(parts.tls if tls else parts.plain, tls=tls, name=host) as client:
        client.send(wire.upgrade("/echo", host=host))
        return client.read_answer()


def at_origin(parts: Bench, token: str, *lines: str, **how: Any) -> Head:
    """The head that the origin got of a request."""
    answer, _ = ask(parts, f"/status/200?{token}", *lines, **how)
    assert answer.status == 200, answer
    return parts.plain_origin.head(token)


def anyone() -> ssl.SSLContext:
    """A client that trusts whoever answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_the_origin_is_told_who_the_client_is_as_the_settings_say(parts: Bench, edge: ZoneEdge, token: str) -> None:
    claimed = ("True-Client-IP: 10.9.9.9", "CF-IPCountry: ZZ")
    parts.control.full(zone(true_client_ip_header="on"))
    told = at_origin(parts, token, *claimed)
    assert (told.values("True-Client-IP"), told.values("CF-IPCountry")) == (["127.0.0.1"], ["NL"])
    parts.control.delta(zone(ip_geolocation="off"))
    untold = at_origin(parts, f"{token}-off", *claimed)
    assert (untold.values("True-Client-IP"), untold.values("CF-IPCountry")) == ([], [])


@pytest.mark.parametrize("status", [502, 504])
def test_the_origin_s_own_errors_are_explained_unless_they_are_to_pass(
    parts: Bench, edge: ZoneEdge, status: int
) -> None:
    parts.control.full(zone())
    answer, body = ask(parts, f"/status/{status}")
    assert answer.status == status
    assert PAGE not in body
    assert answer.value("cf-error-type") == str(status)
    parts.control.delta(zone(origin_error_page_pass_thru="on"))
    answer, body = ask(parts, f"/status/{status}")
    assert (answer.status, body, answer.values("cf-error-type")) == (status, PAGE, [])
    assert ask(parts, "/status/500")[1] == PAGE


def test_a_stripped_upgrade_reaches_the_origin_as_a_plain_get(parts: Bench, edge: ZoneEdge, token: str) -> None:
    parts.control.full(zone(websockets="off", websocket_off_response="strip"))
    with wire.connect(parts.plain) as client:
        answer, body = client.request(wire.upgrade(f"/status/200?{token}", host=HOST))
    assert (answer.status, body) == (200, PAGE)
    head = parts.plain_origin.head(token)
    assert head.method == "GET"
    assert not [name for name, _ in head.fields if name.lower().startswith(("upgrade", "sec-websocket"))]


def test_http_is_sent_to_https_with_its_path_and_query(parts: Bench, edge: ZoneEdge) -> None:
    parts.control.full(zone(always_use_https="on"))
    answer, _ = ask(parts, "/a/b%20c?d=e&f")
    assert answer.status == 301
    assert answer.value("Location") == f"https://{HOST}:{parts.tls[1]}/a/b%20c?d=e&f"
    assert upgrade(parts).status == 301


def test_without_https_clients_are_sent_to_http(parts: Bench, edge: ZoneEdge) -> None:
    parts.control.full(zone(ssl="off", security_header=HSTS))
    answer, _ = ask(parts, "/a?b", tls=anyone())
    assert answer.status == 301
    assert answer.value("Location") == f"http://{HOST}:{parts.plain[1]}/a?b"
    assert answer.values("Strict-Transport-Security") == []
    assert ask(parts, "/status/200")[0].status == 200


def test_hsts_is_on_every_answer_over_tls_and_on_no_other(parts: Bench, edge: ZoneEdge) -> None:
    parts.start_origin()
    parts.control.full(zone(security_header=HSTS), zone("off.test", websockets="off", security_header=HSTS))
    expected = ["max-age=600; includeSubDomains; preload"]
    for answer in (
        ask(parts, "/status/200", tls=anyone())[0],
        ask(parts, "/status/502", tls=anyone())[0],
        upgrade(parts, tls=anyone()),
        upgrade(parts, host="off.test", tls=anyone()),
    ):
        assert answer.values("Strict-Transport-Security") == expected, answer
        assert answer.values("X-Content-Type-Options") == ["nosniff"], answer
    assert ask(parts, "/status/200")[0].values("Strict-Transport-Security") == []


def test_the_origin_leg_is_what_ssl_says(parts: Bench, edge: ZoneEdge, authority: Authority, token: str) -> None:
    origin = parts.start_origin(authority.issue(HOST).server_context())
    for mode, status in (("flexible", 520), ("full", 200), ("strict", 526)):
        parts.control.full(zone(ssl=mode))
        answer, _ = ask(parts, f"/status/200?{token}-{mode}", tls=anyone())
        assert answer.status == status, mode
    assert origin.head(f"{token}-full").value("Host") == HOST


def test_a_name_that_is_not_proxied_or_not_there_is_refused_by_its_code(parts: Bench, edge: ZoneEdge) -> None:
    zones = (
        a_document(
            "example.com",
            a_record("example.com", ORIGIN_IP),
            a_record("direct.example.com", ORIGIN_IP, proxied=False),
            a_record("loop.example.com", "pool.example.com"),
            a_record("pool.example.com", "loop.example.com"),
            a_record("metadata.example.com", "169.254.169.254"),
            a_record("dangling.example.com", "missing.example.com"),
            a_record("foreign.example.com", "other.test"),
        ),
        zone("other.test", account_id="b" * 32),
    )
    parts.control.full(*zones)
    for host, code in (
        ("direct.example.com", 1004),
        ("nobody.example.com", 1001),
        ("nobody.test", 1001),
        ("loop.example.com", 1000),
        ("metadata.example.com", 1000),
        ("dangling.example.com", 1016),
        ("foreign.example.com", 1014),
    ):
        answer, _ = ask(parts, "/", host=host)
        assert (answer.status, answer.value("cf-error-type")) == (530, str(code)), host
        assert answer.values("Retry-After") == (["120"] if code == 1004 else [])


def test_aliases_within_our_zones_are_followed_through_their_records(parts: Bench, edge: ZoneEdge, token: str) -> None:
    hidden = a_record("origin.other.test", ORIGIN_IP, proxied=False)
    parts.control.full(
        zone("example.com", a_record("www.example.com", "hop.other.test")),
        a_document("other.test", a_record("hop.other.test", "origin.other.test"), hidden),
    )
    assert at_origin(parts, token, host="www.example.com").value("Host") == "www.example.com"
    moved = a_record("origin.other.test", "0.0.0.0", proxied=False)
    parts.control.delta(a_document("other.test", a_record("hop.other.test", "origin.other.test"), moved))
    assert ask(parts, "/", host="www.example.com")[0].value("cf-error-type") == "1000"


def test_connections_are_spread_over_the_addresses_of_a_name(parts: Bench, edge: ZoneEdge, token: str) -> None:
    # The first address refuses, so each request gets through by the other.
    both = (a_record("example.com", "127.0.0.3"), a_record("example.com", ORIGIN_IP))
    parts.control.full(a_document("example.com", *both))
    for number in range(4):
        assert at_origin(parts, f"{token}-{number}", host="example.com").method == "GET"


def test_origin_rules_choose_host_and_port_and_later_ones_stand(parts: Bench, edge: ZoneEdge, token: str) -> None:
    rules = (
        OriginRuleDocument(
            id="1", expression='http.request.uri.path contains "/status"', host_header="first.test", origin_port=1
        ),
        OriginRuleDocument(
            id="2", expression=f'http.host eq "{HOST}" and ip.src.country eq "NL"', origin_port=parts.plain[1]
        ),
        OriginRuleDocument(id="3", expression="true", host_header="never.test", enabled=False),
        OriginRuleDocument(id="4", expression='http.host eq "b.example.com"', origin_host="127.0.0.3"),
    )
    parts.control.full(zone(origin_rules=rules))
    assert at_origin(parts, token).values("Host") == ["first.test"]
    assert ask(parts, "/other", host="b.example.com")[0].status == 521


def test_a_paused_zone_is_forwarded_without_its_features(parts: Bench, edge: ZoneEdge, token: str) -> None:
    off = {"websockets": "off", "always_use_https": "on", "true_client_ip_header": "on"}
    parts.control.full(zone(paused=True, security_header=HSTS, **off))
    assert upgrade(parts).status == 101
    head = at_origin(parts, token)
    assert (head.values("True-Client-IP"), head.values("CF-IPCountry")) == ([], [])
    assert ask(parts, "/status/502")[1] == PAGE


def test_a_host_of_another_zone_than_the_name_in_tls_is_misdirected(parts: Bench, edge: ZoneEdge) -> None:
    parts.start_origin()
    parts.control.full(zone(), zone("other.test"))
    for host, name, status in (
        (HOST, HOST, 200),
        (HOST, "www.example.com", 200),
        (HOST, "other.test", 421),
        (HOST, "nobody.test", 421),
        ("other.test", HOST, 421),
        ("nobody.test", HOST, 530),
    ):
        answer, _ = ask(parts, "/status/200", host=host, tls=anyone(), name=name)
        assert answer.status == status, (host, name)


def certificate_of(pair: Pair, *hosts: str, ident: str = "c1") -> CertificateDocument:
    sealed = KEY.seal(pair.key.read_bytes(), purpose=f"certificate/{ident}")
    return CertificateDocument(id=ident, hosts=hosts, chain_pem=pair.cert.read_text(), sealed_key=sealed)


def common_name(parts: Bench, authority: Authority, name: str) -> str:
    """The common name of the certificate that a client is shown who asks for `name`."""
    context = authority.trusting()
    context.check_hostname = False
    with wire.connect(parts.tls, tls=context, name=name) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        shown: Any = client.sock.getpeercert()
    return str(next(value for part in shown["subject"] for key, value in part if key == "commonName"))


def test_a_zone_s_certificate_is_shown_from_the_moment_it_is_there(
    parts: Bench, edge: ZoneEdge, authority: Authority
) -> None:
    old = certificate_of(authority.issue("*.example.com", common_name="old"), "*.example.com", "example.com")
    new = certificate_of(authority.issue("*.example.com", common_name="new"), "*.example.com", ident="c2")
    parts.control.full(zone())
    assert common_name(parts, authority, HOST) == "own"
    parts.control.delta(zone(certificates=(old,)))
    assert common_name(parts, authority, HOST) == "old"
    parts.control.delta(zone(certificates=(new, old)))
    assert common_name(parts, authority, HOST) == "new"
    assert common_name(parts, authority, "example.com") == "old"
    parts.control.delta(removed=(zone_id("example.com"),))
    assert common_name(parts, authority, HOST) == "own"


def test_a_certificate_sealed_for_another_is_shown_to_nobody_and_costs_the_zone_nothing(
    parts: Bench, edge: ZoneEdge, authority: Authority
) -> None:
    pair = authority.issue(HOST)
    sealed = KEY.seal(pair.key.read_bytes(), purpose="certificate/another")
    stolen = CertificateDocument(id="c1", hosts=(HOST,), chain_pem=pair.cert.read_text(), sealed_key=sealed)
    parts.control.full(zone())
    parts.control.delta(zone(certificates=(stolen,), websockets="off"))
    warning = edge.logged("certificate_warning")
    assert warning["certificate"] == "c1"
    assert "PRIVATE KEY" not in str(warning)
    assert ask(parts, "/status/200")[0].status == 200
    assert upgrade(parts).status == 403


@pytest.mark.parametrize(
    ("settings", "tls_1_2", "tls_1_3"),
    [
        ({}, True, True),
        ({"min_tls_version": "1.3"}, False, True),
        ({"tls_1_3": "off"}, True, False),
        ({"ciphers": ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384")}, True, True),
    ],
)
def test_handshakes_settle_on_what_the_zone_allows(
    parts: Bench, edge: ZoneEdge, settings: dict[str, Any], tls_1_2: bool, tls_1_3: bool
) -> None:
    parts.start_origin()
    parts.control.full(zone(**settings), zone("other.test"))
    for version, is_allowed in ((ssl.TLSVersion.TLSv1_2, tls_1_2), (ssl.TLSVersion.TLSv1_3, tls_1_3)):
        context = anyone()
        context.minimum_version = context.maximum_version = version
        for host in (HOST, "example.com"):
            assert _shakes_hands(parts, context, host) is is_allowed
        assert _shakes_hands(parts, context, "other.test")
        # Whoever names no host gets the handshake, and not the zone.
        with wire.connect(parts.tls) as client, closing(context.wrap_socket(client.sock)) as sock:
            answer, _ = wire.Wire(sock).request(wire.request("GET", "/status/200", host=HOST))
            assert answer.status == (200 if is_allowed else 421)


def test_http_2_is_offered_where_the_zone_has_it_from_the_next_handshake_on(parts: Bench, edge: ZoneEdge) -> None:
    parts.start_origin()
    context = anyone()
    context.set_alpn_protocols(["h2", "http/1.1"])
    for switch, spoken in (("on", "h2"), ("off", "http/1.1"), ("on", "h2")):
        parts.control.full(zone(http2=switch), zone("other.test"))
        assert [_spoken(parts, context, host) for host in (HOST, "other.test")] == [spoken, "h2"]


def _spoken(parts: Bench, context: ssl.SSLContext, host: str) -> str | None:
    with wire.connect(parts.tls, tls=context, name=host) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.selected_alpn_protocol()


def _shakes_hands(parts: Bench, context: ssl.SSLContext, host: str) -> bool:
    try:
        with wire.connect(parts.tls, tls=context, name=host) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            return client.sock.version() is not None
    except ssl.SSLError:
        return False
