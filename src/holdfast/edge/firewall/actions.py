"""What a rule does, from the shape that the API has for it (`action`, `action_parameters`) to a value.

Law: what was checked when it was written is checked again, for another version may have written it; whatever is wrong is a
CompileError that names the rule and the member, never a surprise for a request.

Source: Cloudflare, "Rules language: actions", "Skip options", "Custom response".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.values import PHASE_NAMES, RATE_LIMITS, Action, Answer, Deploy, Note, Refuse, Skip
from holdfast.model.rule_documents import RuleDocument

CHALLENGES = ("challenge", "js_challenge", "managed_challenge")
# Features that the original's `products` switch off, and this edge does not have: naming them does nothing.
ABSENT_PRODUCTS = ("zoneLockdown", "uaBlock", "bic", "hot", "securityLevel", "rateLimit", "waf")


def action_of(rule: RuleDocument, place: Place) -> Action:
    """What `rule` does; `execute` is not among them (`rulesets`). Raises CompileError."""
    make = _ACTIONS.get(rule.action)
    if make is None:
        raise place.below("action").wrong(rule.action, " or ".join([*_ACTIONS, "execute"]))
    return make(rule, place.below("action_parameters"))


def _refuse(rule: RuleDocument, place: Place) -> Refuse:
    response = rule.action_parameters.get("response")
    if response is None or rule.action != "block":
        return Refuse(rule.action)
    return Refuse(rule.action, _answer(response, place.below("response")))


def _answer(response: object, place: Place) -> Answer:
    members = _mapping(response, place)
    status, kind, content = (members.get(name) for name in ("status_code", "content_type", "content"))
    if not isinstance(status, int) or isinstance(status, bool) or not 400 <= status <= 499:
        raise place.below("status_code").wrong(status, "a status from 400 to 499")
    if not isinstance(kind, str) or not kind.isascii() or not kind.isprintable():
        raise place.below("content_type").wrong(kind, "a content type")
    if not isinstance(content, str):
        raise place.below("content").wrong(content, "a text")
    # The content is UTF-8 whatever it says: without this, a browser takes a text for Windows-1252.
    kind = kind if "charset" in kind.lower() else f"{kind}; charset=utf-8"
    return Answer(status, kind, content.encode("utf-8", "replace"))


def _skip(rule: RuleDocument, place: Place) -> Skip:
    given = rule.action_parameters
    known = ("ruleset", "phase", "phases", "products", "rulesets", "rules")
    if not any(given.get(name) for name in known):
        raise place.wrong(dict(given), f"at least one of {', '.join(known)}")
    for name in ("ruleset", "phase"):
        if given.get(name) not in (None, "current"):
            raise place.below(name).wrong(given[name], "current")
    for product in _texts(given.get("products"), place.below("products")):
        if product not in ABSENT_PRODUCTS:
            raise place.below("products").wrong(product, " or ".join(ABSENT_PRODUCTS))
    return Skip(
        ruleset=given.get("ruleset") == "current",
        phase=given.get("phase") == "current",
        phases=_texts(given.get("phases"), place.below("phases")),
        rulesets=_texts(given.get("rulesets"), place.below("rulesets")),
        rules={
            ruleset_id: _texts(ids, place.below(f"rules[{ruleset_id}]"))
            for ruleset_id, ids in _mapping(given.get("rules") or {}, place.below("rules")).items()
        },
        is_logged=rule.is_logged is not False,
    )


def deploy_of(rule: RuleDocument, place: Place) -> Deploy:
    """What a rule does that executes a managed ruleset. Raises CompileError."""
    # Loaded with the first such rule: most zones have none.
    from holdfast.rules.managed_ruleset import OverrideError, Overrides  # noqa: PLC0415

    given = rule.action_parameters
    ruleset_id = given.get("id")
    if not isinstance(ruleset_id, str) or not ruleset_id:
        raise place.below("action_parameters.id").wrong(ruleset_id, "the id of a ruleset")
    try:
        overrides = Overrides.parse(given.get("overrides"))
    except OverrideError as error:
        where = place.below(f"action_parameters.overrides{error.pointer.replace('/', '.')}")
        raise where.wrong(given.get("overrides"), f"overrides that can be ({error})") from None
    return Deploy(ruleset_id, overrides, {})


def check_phase(phase: str, place: Place) -> None:
    """Raise CompileError where this edge runs no rules of `phase`."""
    if phase not in PHASE_NAMES:
        raise place.below("phase").wrong(phase, " or ".join(PHASE_NAMES))


def check_limit(rule: RuleDocument, phase: str, place: Place) -> None:
    """Raise CompileError where a rule counts outside of the phase for it, or does not count in it."""
    counts = rule.action not in ("skip", "execute")
    if phase == RATE_LIMITS and counts and rule.ratelimit is None:
        raise place.below("ratelimit").wrong(None, "what to count, as the rule is in a ruleset of rate limits")
    if rule.ratelimit is not None and (phase != RATE_LIMITS or not counts):
        raise place.below("ratelimit").wrong(rule.action, f"none, for only a rule of {RATE_LIMITS} that acts has one")


_ACTIONS: Mapping[str, Callable[[RuleDocument, Place], Action]] = {
    "block": _refuse,
    **dict.fromkeys(CHALLENGES, _refuse),
    "log": lambda _rule, _place: Note(),
    "skip": _skip,
}


def _mapping(value: object, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise place.wrong(value, "an object")
    return value


def _texts(value: object, place: Place) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise place.wrong(value, "an array of texts")
    return tuple(value)
