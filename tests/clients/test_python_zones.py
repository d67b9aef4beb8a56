"""The official Python SDK (5.x) against a running installation: zones, settings, records, certificates, origin rules.

Law: the SDK validates strictly, so that an answer of another shape fails in the SDK, and not in a comparison here.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest
from cloudflare import APIResponseValidationError, BadRequestError, Cloudflare
from cloudflare.types.rulesets.phase_update_response import Ruleset

from holdfast.model.websocket_settings import WEBSOCKET_SETTINGS
from tests.clients.conftest import Zone, given
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.installation import Installation
from tests.integration.origin import Origin

# Settings that the SDK knows, and a value other than the default's.
KNOWN = {
    "always_use_https": "on",
    "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"],
    "http2": "off",
    "ip_geolocation": "off",
    "min_tls_version": "1.3",
    "origin_error_page_pass_thru": "on",
    "proxy_read_timeout": 30.0,
    "ssl": "strict",
    "tls_1_3": "off",
    "true_client_ip_header": "on",
    "websockets": "off",
}
HSTS = {"enabled": True, "max_age": 300, "include_subdomains": True, "preload": True, "nosniff": True}


def upgrade_status(installed: Installation, host: str) -> int:
    with wire.connect(installed.plain) as client:
        client.send(wire.upgrade("/echo", host=host))
        return client.read_answer().status


def test_a_zone_is_made_found_paused_and_removed(strict: Cloudflare, account_id: str) -> None:
    made = given(strict.zones.create(account={"id": account_id}, name="Made.Example.", type="full"))
    assert (made.name, made.status, made.paused, made.account.id) == ("made.example", "active", False, account_id)
    assert given(made.plan).legacy_id == "free"
    assert strict.zones.get(zone_id=made.id) == made
    assert [zone.id for zone in strict.zones.list(name="made.example")] == [made.id]
    assert [zone.id for zone in strict.zones.list(name="starts_with:mad", account={"id": account_id})] == [made.id]
    assert list(strict.zones.list(name="contains:nothing-like-it")) == []
    assert given(strict.zones.edit(zone_id=made.id, paused=True)).paused
    assert given(strict.zones.activation_check.trigger(zone_id=made.id)).id == made.id
    assert given(strict.zones.delete(zone_id=made.id)).id == made.id
    assert list(strict.zones.list(name="made.example")) == []


def test_paging_gives_every_zone_once_and_ends(strict: Cloudflare, account_id: str) -> None:
    names = {f"page-{number:02}.example" for number in range(23)}
    ids = {name: given(strict.zones.create(account={"id": account_id}, name=name)).id for name in names}
    pages = []
    page = strict.zones.list(name="starts_with:page-", order="name", direction="desc", per_page=5)
    while page.result:
        pages.append([zone.name for zone in page.result])
        page = page.get_next_page()
    assert [len(one) for one in pages] == [5, 5, 5, 5, 3]
    assert [name for one in pages for name in one] == sorted(names, reverse=True)
    assert {zone.name for zone in strict.zones.list(name="starts_with:page-", per_page=10)} == names
    for zone_id in ids.values():
        strict.zones.delete(zone_id=zone_id)


@pytest.mark.parametrize("setting", sorted(KNOWN))
def test_a_setting_is_what_it_was_set_to(strict: Cloudflare, zone: Zone, setting: str) -> None:
    settings: Any = strict.zones.settings
    before = settings.get(setting, zone_id=zone.id)
    assert (before.id, before.modified_on) == (setting, None)
    edited = settings.edit(setting, zone_id=zone.id, value=KNOWN[setting])
    assert edited.value == KNOWN[setting] != before.value
    assert edited.modified_on is not None
    assert settings.get(setting, zone_id=zone.id).model_dump() == edited.model_dump()


def test_security_headers_are_nested_as_the_sdk_nests_them(strict: Cloudflare, zone: Zone) -> None:
    value = {"strict_transport_security": HSTS}
    strict.zones.settings.edit("security_header", zone_id=zone.id, value=value)
    read = given(strict.zones.settings.get("security_header", zone_id=zone.id))
    assert read.model_dump()["value"] == value


def test_how_urls_are_normalised_is_set_and_reset(strict: Cloudflare, zone: Zone) -> None:
    def shown() -> tuple[str, str]:
        found = given(strict.url_normalization.get(zone_id=zone.id))
        return found.scope, found.type

    assert shown() == ("incoming", "cloudflare")
    done = given(strict.url_normalization.update(zone_id=zone.id, scope="none", type="rfc3986"))
    assert (done.scope, done.type) == shown() == ("none", "rfc3986")
    with pytest.raises(BadRequestError, match="sends origins the URL as the client sent it"):
        strict.url_normalization.update(zone_id=zone.id, scope="both", type="rfc3986")
    strict.url_normalization.delete(zone_id=zone.id)
    assert shown() == ("incoming", "cloudflare")


def test_both_bulk_forms_change_several_settings(strict: Cloudflare, zone: Zone) -> None:
    path = f"/zones/{zone.id}/settings"
    strict.patch(path, body=[{"id": "ssl", "value": "full"}, {"id": "websockets", "value": "off"}], cast_to=object)
    strict.patch(path, body={"items": [{"id": "tls_1_3", "value": "off"}]}, cast_to=object)
    answer = strict.get(path, cast_to=httpx.Response).json()
    values = {one["id"]: one["value"] for one in answer["result"]}
    assert (values["ssl"], values["websockets"], values["tls_1_3"]) == ("full", "off", "off")
    # Ours beside those the SDK knows; a strict SDK does not know them, an ordinary one takes them.
    ours = set(values) - set(KNOWN) - {"security_header"}
    assert ours == {"websocket_off_response", *WEBSOCKET_SETTINGS}
    with pytest.raises(APIResponseValidationError):
        strict.zones.settings.get("websocket_off_response", zone_id=zone.id)
    lenient = strict.with_options(_extra_kwargs={"_strict_response_validation": False})
    read: Any = lenient.zones.settings.get("websocket_off_response", zone_id=zone.id)
    assert (read.id, read.value) == ("websocket_off_response", "refuse")


def test_the_switch_works_at_the_edge_from_its_answer_on(
    strict: Cloudflare, installed: Installation, zone: Zone, origin: Origin
) -> None:
    strict.dns.records.create(
        zone_id=zone.id, type="A", name=zone.name, content=origin.host, ttl=1, proxied=True, comment="the origin"
    )
    strict.rulesets.phases.update("http_request_origin", zone_id=zone.id, rules=[_rule("true", port=origin.port)])
    for value, status in (("off", 403), ("on", 101), ("off", 403)):
        strict.zones.settings.edit("websockets", zone_id=zone.id, value=value)
        assert upgrade_status(installed, zone.name) == status


def test_records_of_every_type_are_made_changed_and_removed(strict: Cloudflare, zone: Zone) -> None:
    records: Any = strict.dns.records
    made = given(
        records.create(zone_id=zone.id, type="A", name="www", content="192.0.2.1", ttl=1, proxied=True, tags=["a:b"])
    )
    records.create(zone_id=zone.id, type="AAAA", name=f"six.{zone.name}", content="2001:db8::1", ttl=300)
    records.create(zone_id=zone.id, type="CNAME", name=f"*.{zone.name}", content="origin.example.net", ttl=1)
    assert (made.name, made.proxiable, made.tags) == (f"www.{zone.name}", True, ["a:b"])
    changed: Any = {"name": made.name, "content": "192.0.2.2", "ttl": 1, "proxied": False, "comment": "now"}
    put = given(records.update(made.id, zone_id=zone.id, type="A", **changed))
    edited = records.edit(made.id, zone_id=zone.id, type="A", name=made.name, ttl=120, content="192.0.2.3")
    read = given(records.get(made.id, zone_id=zone.id))
    assert (put.content, put.proxied) == ("192.0.2.2", False)
    assert (read.content, read.ttl, read.comment, read.proxied) == ("192.0.2.3", 120, "now", False)
    assert read == edited
    assert [one.type for one in records.list(zone_id=zone.id, order="type")] == ["A", "AAAA", "CNAME"]
    assert [one.name for one in records.list(zone_id=zone.id, type="AAAA")] == [f"six.{zone.name}"]
    assert given(records.delete(made.id, zone_id=zone.id)).id == made.id
    assert len(list(records.list(zone_id=zone.id, per_page=1))) == 2


def test_a_batch_removes_changes_replaces_and_adds_in_one_step(strict: Cloudflare, zone: Zone) -> None:
    records: Any = strict.dns.records
    ids = [
        given(records.create(zone_id=zone.id, type="A", name=name, content="192.0.2.1", ttl=1)).id
        for name in ("one", "two", "three")
    ]
    answer = given(
        records.batch(
            zone_id=zone.id,
            deletes=[{"id": ids[0]}],
            patches=[{"id": ids[1], "type": "A", "name": "two", "ttl": 1, "content": "192.0.2.2"}],
            puts=[{"id": ids[2], "type": "A", "name": "three", "ttl": 60, "content": "192.0.2.3"}],
            posts=[{"type": "A", "name": "one", "ttl": 1, "content": "192.0.2.4"}],
        )
    )
    assert [len(part or ()) for part in (answer.deletes, answer.patches, answer.puts, answer.posts)] == [1, 1, 1, 1]
    contents = {one.name.split(".")[0]: one.content for one in records.list(zone_id=zone.id)}
    assert contents == {"one": "192.0.2.4", "two": "192.0.2.2", "three": "192.0.2.3"}
    exported = records.export(zone_id=zone.id)
    for content in contents.values():
        assert str(content) in exported


def test_an_export_is_what_an_import_takes(strict: Cloudflare, zone: Zone, tmp_path: Path) -> None:
    records: Any = strict.dns.records
    for name, content in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
        records.create(zone_id=zone.id, type="A", name=name, content=content, ttl=300, proxied=False)
    exported = records.export(zone_id=zone.id)
    for record in list(records.list(zone_id=zone.id)):
        records.delete(record.id, zone_id=zone.id)
    told = given(records.import_(zone_id=zone.id, file=exported, proxied="false"))
    assert told.recs_added == 2
    assert {one.content for one in records.list(zone_id=zone.id)} == {"192.0.2.1", "192.0.2.2"}


def test_certificates_are_uploaded_shown_ordered_and_removed(
    strict: Cloudflare, zone: Zone, authority: Authority
) -> None:
    pairs = [authority.issue(zone.name, f"*.{zone.name}") for _ in range(2)]
    made = [
        given(
            strict.custom_certificates.create(
                zone_id=zone.id, certificate=pair.cert.read_text(), private_key=pair.key.read_text()
            )
        )
        for pair in pairs
    ]
    assert [one.status for one in made] == ["active", "active"]
    ids = [one.id for one in made]
    assert {one.id for one in strict.custom_certificates.list(zone_id=zone.id)} == set(ids)
    shown = strict.custom_certificates.with_raw_response.get(ids[0], zone_id=zone.id)
    assert "PRIVATE" not in shown.text()
    assert set(given(given(shown.parse()).hosts)) == {zone.name, f"*.{zone.name}"}
    order = strict.custom_certificates.prioritize.update(
        zone_id=zone.id, certificates=[{"id": ids[0], "priority": 1}, {"id": ids[1], "priority": 2}]
    )
    assert [one.id for one in order.result] == list(reversed(ids))
    other = authority.issue(zone.name)
    edited = given(
        strict.custom_certificates.edit(
            ids[0], zone_id=zone.id, certificate=other.cert.read_text(), private_key=other.key.read_text()
        )
    )
    assert edited.hosts == [zone.name]
    for certificate_id in ids:
        strict.custom_certificates.delete(certificate_id, zone_id=zone.id)
    assert list(strict.custom_certificates.list(zone_id=zone.id)) == []


def test_origin_rules_are_put_added_moved_edited_and_removed(strict: Cloudflare, zone: Zone) -> None:
    put = strict.rulesets.phases.update(
        "http_request_origin", zone_id=zone.id, rules=[_rule("true", port=8080), _rule('http.host eq "a"', port=8081)]
    )
    # The SDK types this one answer as Ruleset or any object, so it is read again here.
    ruleset = Ruleset.model_validate(put)
    assert (ruleset.version, len(ruleset.rules)) == ("1", 2)
    assert [one.id for one in strict.rulesets.list(zone_id=zone.id) if one.kind == "zone"] == [ruleset.id]
    added = strict.rulesets.rules.create(
        ruleset.id,
        zone_id=zone.id,
        action="route",
        expression='http.request.uri.path eq "/x"',
        action_parameters={"host_header": "origin.example.net"},
        position={"index": 1},
    )
    rules = Ruleset.model_validate(added).rules
    assert [rule.expression for rule in rules] == ['http.request.uri.path eq "/x"', "true", 'http.host eq "a"']
    assert rules[0].id is not None
    edited = strict.rulesets.rules.edit(
        rules[0].id,
        ruleset_id=ruleset.id,
        zone_id=zone.id,
        action="route",
        expression='http.request.uri.path eq "/y"',
        action_parameters={"origin": {"host": "origin.example.net"}},
        enabled=False,
        position={"after": ""},
    )
    last = Ruleset.model_validate(edited).rules[-1]
    assert (last.expression, last.enabled) == ('http.request.uri.path eq "/y"', False)
    strict.rulesets.rules.delete(rules[0].id, ruleset_id=ruleset.id, zone_id=zone.id)
    shown = strict.rulesets.phases.get("http_request_origin", zone_id=zone.id)
    assert [rule.expression for rule in shown.rules] == ["true", 'http.host eq "a"']
    strict.rulesets.update(ruleset.id, zone_id=zone.id, rules=[], description="none")
    assert strict.rulesets.get(ruleset.id, zone_id=zone.id).rules == []
    strict.rulesets.delete(ruleset.id, zone_id=zone.id)
    assert {one.kind for one in strict.rulesets.list(zone_id=zone.id)} == {"managed"}


def _rule(expression: str, *, port: int) -> Any:
    return {"action": "route", "expression": expression, "action_parameters": {"origin": {"port": port}}}


def test_plans_and_subscriptions(strict: Cloudflare, zone: Zone) -> None:
    plans = list(strict.zones.plans.list(zone_id=zone.id))
    assert [plan.legacy_id for plan in plans] == ["free", "pro", "business", "enterprise"]
    assert strict.zones.plans.get(given(plans[1].id), zone_id=zone.id) == plans[1]
    assert {plan.id for plan in strict.zones.rate_plans.get(zone_id=zone.id)} >= {"free", "pro"}
    strict.zones.subscriptions.update(zone_id=zone.id, rate_plan={"id": "business"})
    subscribed = given(strict.zones.subscriptions.get(zone_id=zone.id))
    assert given(subscribed.rate_plan).id == "business"
    assert given(given(strict.zones.get(zone_id=zone.id)).plan).legacy_id == "business"
