"""IP access rules of the zone and its account: a client that is let pass is asked for nothing by the phases of rules after it.

Of all rules that fit, of both owners alike, the most special one counts (`firewall.access_rules`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.edge.answers import RefusedBy, refuse_by_rule
from holdfast.edge.decision import Decision
from holdfast.edge.firewall.notes import Finding
from holdfast.edge.firewall.values import IP_ACCESS
from holdfast.edge.view import View
from holdfast.model.request import Request

if TYPE_CHECKING:
    from holdfast.edge.firewall.access_rules import AccessRule, AccessRules

_ALLOW = "whitelist"


def ip_access(request: Request, view: View) -> Decision | None:
    """The rule that counts lets pass, or refuses with Cloudflare's 1005, 1006 or 1009."""
    if not view.firewalls:
        return None
    rule = _rule_for([one.access for one in view.firewalls if one.access is not None], request, view)
    if rule is None:
        return None
    if rule.mode == _ALLOW:
        view.notes.skips_from_here().add_all_phases(by=rule.id)
        view.notes.add(_finding(rule, "allow", 0))
        return None
    by = RefusedBy(rule_id=rule.id, phase=IP_ACCESS, action=rule.mode, zone=view.zone.name, code=rule.code)
    decision = refuse_by_rule(request, by, now=view.now)
    view.notes.add(_finding(rule, rule.mode, decision.status))
    return decision


def _rule_for(owners: list[AccessRules], request: Request, view: View) -> AccessRule | None:
    """Of the rules that fit, the one that counts."""
    if not owners:
        return None
    # Loaded with the first such rule: most zones have none.
    from holdfast.rules.scheme import FIELDS  # noqa: PLC0415

    address = FIELDS["ip.src"].read(view.context(request))
    fitting = [] if address is None else [rule for one in owners if (rule := one.of_address(address)) is not None]
    if not fitting and any(one.asks_place for one in owners):
        place = view.place(request)
        fitting = [rule for one in owners if (rule := one.of_place(place.asn, place.country)) is not None]
    return max(fitting, key=lambda rule: rule.precedence, default=None)


def _finding(rule: AccessRule, action: str, status: int) -> Finding:
    return Finding(
        action=action,
        source=rule.source,
        rule_id=rule.id,
        description=rule.notes,
        status=status,
        fields=((_FIELDS.get(rule.source, "ip.src"), rule.value),),
    )


_FIELDS = {"asn": "ip.src.asnum", "country": "ip.src.country"}
