"""Compile zones: documents, as control publishes them, to what `decide` reads.

Law 1: a zone compiles as a whole or raises CompileError, a sentence that names zone, field and value. Nothing that a
request meets can fail because of what a document says. Where it is `tolerant`, a certificate that cannot be shown is left
out instead: an edge has its own key, and control may have another.
Law 2: a zone is compiled from its own document alone, so that the news of one zone is the work of one zone. What crosses
zones (an alias into another) is looked up when a request comes.
Law 3: what has not changed is taken over from the zone's last version: targets with their origins, certificates.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from holdfast.edge.compile_error import CompileError
from holdfast.edge.features import check_settings, features_of, tls_settings_of, url_form_of
from holdfast.edge.firewall.account import firewall_of
from holdfast.edge.origin_rules import origin_rules_of
from holdfast.edge.records import targets_of
from holdfast.edge.worker_routes import with_domains, workers_of
from holdfast.edge.zone import CompiledZone
from holdfast.edge.zone_certificates import certificates_of, usable_certificates_of
from holdfast.model.hostname import parse_hostname
from holdfast.model.zone_document import CATCH_ALL, ZoneDocument
from holdfast.sealing import SealingKey

# As rules name them (`cf.zone.plan`), by the plan's legacy id.
_PLANS = {"free": "FREE", "pro": "PRO", "business": "BIZ", "enterprise": "ENT"}

_ID = re.compile(r"[0-9a-f]{32}")


def compile_zone(
    document: ZoneDocument,
    *,
    key: SealingKey | None,
    before: CompiledZone | None = None,
    tolerant: bool = False,
    pause: Callable[[], None] = lambda: None,
) -> CompiledZone:
    """`document` as `decide` reads it.

    `key` opens the private keys of its certificates; None where there are none. `before` is the zone's last version.
    `pause` is called now and then where there are many rules. Raises CompileError.
    """
    name = document.name
    _check_identity(document)
    check_settings(name, document.settings)
    workers = workers_of(name, document.worker_routes, document.worker_domains, url_form_of(document.settings))
    targets = targets_of(name, document.records, before=before.targets if before else None)
    if not document.paused:
        targets = with_domains(targets, document.worker_domains)
    features = features_of(document.settings, paused=document.paused)
    shown_before = before.certificates if before else ()
    if tolerant:
        certificates, left_out = usable_certificates_of(name, document.certificates, key=key, before=shown_before)
    else:
        certificates, left_out = certificates_of(name, document.certificates, key=key, before=shown_before), {}
    rules = origin_rules_of(name, document.origin_rules)
    # Compiled also while the zone is paused: that it can be must not be found out when it is let go.
    firewall = firewall_of(name, document.rulesets, document.access_rules, pause=pause)
    return CompiledZone(
        id=document.id,
        name=name,
        account_id=document.account_id,
        plan=_PLANS.get(document.plan, ""),
        features=features,
        targets=targets,
        has_wildcards=any(target.startswith("*.") for target in targets),
        fallback=targets.get(CATCH_ALL),
        is_paused=document.paused,
        rules=rules,
        firewalls=() if firewall is None or document.paused else (firewall,),
        certificates=certificates,
        certificates_left_out=left_out,
        workers=None if document.paused else workers,
        tls=None if name == CATCH_ALL else tls_settings_of(name, targets, document.settings),
    )


def check_zone(document: ZoneDocument, key: SealingKey | None) -> None:
    """Raise CompileError where an edge would refuse `document`: for control, before it publishes one."""
    compile_zone(document, key=key)


def _check_identity(document: ZoneDocument) -> None:
    name = document.name
    if not _ID.fullmatch(document.id):
        raise CompileError(name, "id", document.id, "32 hexadecimal digits in lower case")
    if name == CATCH_ALL:
        return
    try:
        is_well_spelled = parse_hostname(name, single_label=True) == name
    except ValueError:
        is_well_spelled = False
    if not is_well_spelled:
        raise CompileError(name, "name", name, "a domain name in lower case")
