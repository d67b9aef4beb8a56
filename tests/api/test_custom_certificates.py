"""Custom certificates over the API: checked, sealed, chosen, and never a key given out."""

import asyncio
import datetime as dt
from typing import Any

import pytest
import trustme
from cloudflare import BadRequestError
from cryptography import x509
from cryptography.x509.oid import NameOID

from holdfast.edge.compile import check_zone
from holdfast.model.zone_document import CertificateDocument
from holdfast.sealing import SealingKey
from tests.api.harness import ABSENT, START, Api, codes
from tests.api.serving import sdk
from tests.unit.certificates.making import a_key, cert_pem, key_pem

TODAY = dt.datetime.fromtimestamp(START / 1e6, dt.UTC)
DAY = dt.timedelta(days=1)
KEY = SealingKey(bytes(32))


def _pair(*names: str, starts: int = -1, ends: int = 90, kind: str = "ec", number: int = 0) -> dict[str, str]:
    """A certificate that its key signed for itself, valid from and until so many days from today."""
    key = a_key(kind, number)
    chain = cert_pem(
        key, names=names or ("example.com",), not_before=TODAY + starts * DAY, not_after=TODAY + ends * DAY
    )
    return {"certificate": chain.decode(), "private_key": key_pem(key).decode()}


async def _add(api: Api, zone: str, **members: Any) -> Any:
    return await api.result("POST", f"/zones/{zone}/custom_certificates", json=members)


async def _list(api: Api, zone: str, query: str = "") -> list[str]:
    return [one["id"] for one in await api.result("GET", f"/zones/{zone}/custom_certificates?{query}")]


def _published(api: Api) -> tuple[CertificateDocument, ...]:
    (document,) = api.control.publisher.snapshot().zones
    return document.certificates


async def test_a_certificate_is_shown_without_its_key_and_published_sealed(api: Api) -> None:
    zone, pair = await api.zone(), _pair("example.com", "*.example.com", "other.example.net")
    made = await _add(api, zone, **pair)
    assert made == {
        "id": made["id"],
        "zone_id": zone,
        "type": "legacy_custom",
        "bundle_method": "ubiquitous",
        "hosts": ["example.com", "*.example.com", "other.example.net"],
        "issuer": "example.com",
        "signature": "ECDSAWithSHA256",
        "status": "active",
        "priority": 0,
        "uploaded_on": made["uploaded_on"],
        "modified_on": made["uploaded_on"],
        "expires_on": "2027-02-23T08:00:00.000000Z",
    }
    assert await api.result("GET", f"/zones/{zone}/custom_certificates/{made['id']}") == made
    (one,) = _published(api)
    assert (one.id, one.hosts) == (made["id"], ("example.com", "*.example.com"))
    opened = KEY.open_sealed(one.sealed_key, purpose=f"certificate/{one.id}")
    assert opened.decode() == pair["private_key"]
    check_zone(api.control.publisher.snapshot().zones[0], KEY)


async def test_a_private_key_is_given_out_nowhere(api: Api) -> None:
    zone, pair = await api.zone(), _pair()
    made = await _add(api, zone, **pair)
    other = _pair(number=1)
    path = f"/zones/{zone}/custom_certificates"
    texts = [
        (await api.ask("GET", path)).text,
        (await api.ask("GET", f"{path}/{made['id']}")).text,
        (await api.ask("PATCH", f"{path}/{made['id']}", json=other)).text,
        (await api.ask("POST", path, json={**pair, "private_key": [pair["private_key"]]})).text,
        (await api.ask("POST", path, json={**pair, "private_key": pair["private_key"] * 100})).text,
        (await api.ask("POST", path, json={**pair, "private_key": other["private_key"]})).text,
        (await api.ask("POST", path, json={**pair, "certificate": pair["private_key"]})).text,
        (await api.ask("DELETE", f"{path}/{made['id']}")).text,
        (await api.ask("GET", f"/accounts/{api.account_id}/audit_logs")).text,
        repr(api.log),
    ]
    lines = {line for one in (pair, other) for line in one["private_key"].splitlines() if not line.startswith("-")}
    assert not [line for line in lines for text in texts if line in text]


async def test_a_key_pasted_into_the_certificate_is_not_kept(api: Api) -> None:
    zone, pair = await api.zone(), _pair()
    await _add(api, zone, certificate=pair["private_key"] + pair["certificate"], private_key=pair["private_key"])
    (one,) = _published(api)
    assert one.chain_pem.strip() == pair["certificate"].strip()


async def test_a_chain_is_taken_in_order_with_every_kind_of_key(api: Api) -> None:
    zone = await api.zone()
    root = trustme.CA()
    middle = root.create_child_ca()
    leaf = middle.issue_cert("www.example.com", not_before=TODAY - DAY, not_after=TODAY + DAY)
    pems = [pem.bytes().decode() for pem in leaf.cert_chain_pems]
    made = await _add(api, zone, certificate="".join(pems), private_key=leaf.private_key_pem.bytes().decode())
    assert (made["hosts"], made["issuer"]) == (["www.example.com"], _issuer(pems[0]))
    for kind, signature in (("rsa", "SHA256WithRSA"), ("ed25519", "Ed25519")):
        assert (await _add(api, zone, **_pair(kind=kind), type="sni_custom"))["signature"] == signature
    key = leaf.private_key_pem.bytes().decode()
    bad = {
        "leaf last": "".join(pems[::-1]),
        "a link is missing": pems[0] + root.cert_pem.bytes().decode(),
        "too long": pems[0] + "".join(pems[1:]) * 11,
    }
    for name, chain in bad.items():
        answer = await api.ask(
            "POST", f"/zones/{zone}/custom_certificates", json={"certificate": chain, "private_key": key}
        )
        assert (answer.status_code, codes(answer)) == (400, [1002]), name


def _issuer(pem: str) -> str:
    """The organisation that issued a certificate."""
    issuer = x509.load_pem_x509_certificate(pem.encode()).issuer
    return str(issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)


async def test_what_cannot_be_served_is_refused_where_it_stands(api: Api) -> None:
    zone, pair, other = await api.zone(), _pair(), _pair(number=1)
    weak = key_pem(a_key("ec", 3)).decode()
    bad: list[tuple[dict[str, Any], int, str]] = [
        ({"certificate": "nonsense"}, 1002, "/certificate"),
        ({"certificate": pair["private_key"]}, 1002, "/certificate"),
        ({"certificate": pair["certificate"].replace("M", "N", 5)}, 1002, "/certificate"),
        ({"certificate": _pair(ends=-1, starts=-9)["certificate"]}, 1002, "/certificate"),
        ({"certificate": _pair("example.org", "notexample.com")["certificate"]}, 1002, "/certificate"),
        ({"certificate": "x" * 200_000}, 1004, "/certificate"),
        ({"certificate": None}, 1004, "/certificate"),
        ({"private_key": other["private_key"]}, 1002, "/private_key"),
        ({"private_key": weak}, 1002, "/private_key"),
        ({"private_key": pair["certificate"]}, 1002, "/private_key"),
        ({"private_key": key_pem(a_key(), password=b"x").decode()}, 1002, "/private_key"),
        ({"private_key": None}, 1004, "/private_key"),
        ({"private_key": 7}, 1004, "/private_key"),
        ({"private_key": "x" * 20_000}, 1004, "/private_key"),
        ({"bundle_method": "tight"}, 1004, "/bundle_method"),
        ({"type": "keyless"}, 1004, "/type"),
        ({"geo_restrictions": {"label": "moon"}}, 1004, "/geo_restrictions/label"),
        ({"deploy": "staging"}, 1004, "/deploy"),
        ({"custom_csr_id": "7b163417-1d2b-4c84-a38a-2fb7a0cd7752"}, 1004, "/custom_csr_id"),
    ]
    for members, code, pointer in bad:
        answer = await api.ask("POST", f"/zones/{zone}/custom_certificates", json={**pair, **members})
        assert (answer.status_code, codes(answer)) == (400, [code]), members
        assert answer.json()["errors"][0]["source"] == {"pointer": pointer}, members
    assert await _list(api, zone) == []


async def test_the_same_certificate_is_taken_once(api: Api) -> None:
    zone, pair = await api.zone(), _pair()
    await _add(api, zone, **pair)
    answer = await api.ask("POST", f"/zones/{zone}/custom_certificates", json=pair)
    assert (answer.status_code, codes(answer)) == (400, [1220])
    assert answer.json()["errors"][0]["message"] == "This certificate has already been submitted."


async def test_the_order_to_choose_in_is_legacy_then_priority_then_newest(api: Api) -> None:
    zone = await api.zone()
    sni, old, new = [
        (await _add(api, zone, **_pair(number=number), type=kind))["id"]
        for number, kind in enumerate(("sni_custom", "legacy_custom", "legacy_custom"))
    ]
    assert await _list(api, zone) == [new, old, sni]
    path = f"/zones/{zone}/custom_certificates/prioritize"
    priorities = [{"id": old, "priority": 2}, {"id": sni, "priority": 9}, {"id": new, "priority": 1}]
    listed = await api.result("PUT", path, json={"certificates": priorities})
    assert [(one["id"], one["priority"]) for one in listed] == [(old, 2), (new, 1), (sni, 9)]
    assert [one.id for one in _published(api)] == [old, new, sni]
    entries = len(await api.entries())
    await api.result("PUT", path, json={"certificates": priorities})
    assert len(await api.entries()) == entries
    bad: list[Any] = [
        {"certificates": [{"id": new, "priority": 5}, {"id": ABSENT, "priority": 1}]},
        {"certificates": [{"id": new, "priority": -1}]},
        {"certificates": [{"id": new, "priority": 10**9}]},
        {"certificates": {}},
        {},
    ]
    for body in bad:
        assert (await api.ask("PUT", path, json=body)).status_code == 400, body
    assert [one.id for one in _published(api)] == [old, new, sni]


async def test_a_certificate_is_replaced_under_its_id(api: Api) -> None:
    zone, first, second = await api.zone(), _pair("example.com"), _pair("www.example.com", number=1)
    made = await _add(api, zone, **first, policy="(country: US)")
    path = f"/zones/{zone}/custom_certificates/{made['id']}"
    api.clock.advance(60)
    replaced = await api.result("PATCH", path, json=second)
    assert (replaced["id"], replaced["hosts"], replaced["policy_restrictions"]) == (
        made["id"], ["www.example.com"], "(country: US)",
    )  # fmt: skip
    assert replaced["modified_on"] > made["modified_on"]
    check_zone(api.control.publisher.snapshot().zones[0], KEY)
    renewed = await api.result("PATCH", path, json={"certificate": _pair(number=1, ends=300)["certificate"]})
    assert renewed["expires_on"] > replaced["expires_on"]
    check_zone(api.control.publisher.snapshot().zones[0], KEY)
    for body, pointer in (
        ({"certificate": first["certificate"]}, "/private_key"),
        ({"private_key": first["private_key"]}, "/private_key"),
        ({"certificate": "x"}, "/certificate"),
    ):
        answer = await api.ask("PATCH", path, json=body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["source"] == {"pointer": pointer}
    assert await api.result("GET", path) == renewed
    assert await api.result("PATCH", path, json={}) == renewed
    edited = await api.result("PATCH", path, json={"bundle_method": "force", "geo_restrictions": {"label": "eu"}})
    assert (edited["bundle_method"], edited["geo_restrictions"]) == ("force", {"label": "eu"})


async def test_a_replacement_takes_nothing_that_it_did_not_check(api: Api) -> None:
    zone = await api.zone()
    made = await _add(api, zone, **_pair())
    path = f"/zones/{zone}/custom_certificates/{made['id']}"
    answers = await asyncio.gather(
        api.ask("PATCH", path, json=_pair(number=1)),
        api.ask("PATCH", path, json=_pair(number=2)),
        api.ask("PATCH", path, json={"certificate": _pair(ends=200)["certificate"]}),
    )
    assert {answer.status_code for answer in answers} <= {200, 400, 409}
    assert 200 in {answer.status_code for answer in answers}
    check_zone(api.control.publisher.snapshot().zones[0], KEY)


async def test_time_makes_certificates_valid_and_lets_them_expire(api: Api) -> None:
    zone = await api.zone()
    now = (await _add(api, zone, **_pair(ends=10)))["id"]
    later = await _add(api, zone, **_pair(number=1, starts=5, ends=30))
    assert later["status"] == "pending"
    assert [one.id for one in _published(api)] == [now]
    for days, published, active in ((5.1, [later["id"], now], 2), (10.1, [later["id"]], 1), (30.1, [], 0)):
        api.clock.now = START
        api.clock.advance(days * 86_400)
        await api.control.publisher.poll()
        assert [one.id for one in _published(api)] == published
        assert len(await _list(api, zone, "status=active")) == active
    assert len(await _list(api, zone, "status=expired")) == 2
    assert await _list(api, zone, "status=deleted") == []


async def test_lists_come_in_pages(api: Api) -> None:
    zone = await api.zone()
    made = [(await _add(api, zone, **_pair(number=number)))["id"] for number in range(6)][::-1]
    assert await _list(api, zone, "per_page=5") == made[:5]
    assert await _list(api, zone, "per_page=5&page=2") == made[5:]
    assert await _list(api, zone, "per_page=5&page=3") == []
    for query in ("per_page=0", "per_page=51", "page=0", "status=lost"):
        answer = await api.ask("GET", f"/zones/{zone}/custom_certificates?{query}")
        assert (answer.status_code, codes(answer)) == (400, [1004])


async def test_a_removed_certificate_is_gone(api: Api) -> None:
    zone, other = await api.zone(), await api.zone("example.org")
    made = await _add(api, zone, **_pair())
    path = f"/zones/{zone}/custom_certificates/{made['id']}"
    elsewhere = await api.ask("DELETE", f"/zones/{other}/custom_certificates/{made['id']}")
    assert (elsewhere.status_code, codes(elsewhere)) == (404, [1001])
    assert await api.result("DELETE", path) == {"id": made["id"]}
    for method in ("GET", "PATCH", "DELETE"):
        answer = await api.ask(method, path, json={} if method == "PATCH" else None)
        assert (answer.status_code, codes(answer)) == (404, [1001])
    actions = [one["action"]["type"] for one in await api.entries() if one["resource"]["type"] == "custom_certificate"]
    assert actions == ["delete", "create"]


async def test_the_official_client_goes_through_the_life_of_a_certificate(api: Api) -> None:
    zone, pair = await api.zone(), _pair("example.com")
    async with sdk(api) as client:
        made = await client.custom_certificates.create(
            zone_id=zone, certificate=pair["certificate"], private_key=pair["private_key"], bundle_method="force"
        )
        assert made is not None
        assert (made.status, made.hosts, made.bundle_method) == ("active", ["example.com"], "force")
        other: Any = _pair("www.example.com", number=1)
        edited = await client.custom_certificates.edit(made.id, zone_id=zone, **other)
        assert edited is not None
        assert (edited.id, edited.hosts) == (made.id, ["www.example.com"])
        ranked = client.custom_certificates.prioritize.update(
            zone_id=zone, certificates=[{"id": made.id, "priority": 3}]
        )
        assert [one.priority async for one in ranked] == [3]
        assert [one.id async for one in client.custom_certificates.list(zone_id=zone)] == [made.id]
        with pytest.raises(BadRequestError) as refused:
            await client.custom_certificates.create(zone_id=zone, certificate="x", private_key=pair["private_key"])
        assert refused.value.errors[0].code == 1002
        gone = await client.custom_certificates.delete(made.id, zone_id=zone)
        assert gone is not None
        assert gone.id == made.id
