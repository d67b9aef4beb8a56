"""Rules on a request before the 101: access rules, custom rules, rate limits, managed rules. Documents in, decisions out.

    account.compile_account(document) -> CompiledAccount     what an account says for all of its zones
    account.firewall_of(owner, ...) -> Firewall | None       the same of a zone, which compiles with it
    walk.run(ruleset, request, view) -> Respond | None       one ruleset asked about one request
    access_rules.AccessRules                                 addresses, networks, AS numbers, countries: looked up
    rate_limit.RateLimit                                     whose counter a request is
    deployments.prepare(firewalls, managed)                  managed rulesets made ready before requests come
    events.events_of(request, view, decision, phase=...)     what is recorded of a request
    traced.traced_rulesets(...)                              what became of every rule, for `edge.trace`
    counters_file.open_counters(path) -> RateCounters        counters that outlive the process

All values are compiled and frozen (`values`), from documents by `rulesets`, `actions`, `rate_limit` and `access_rules`; what one request
finds out is in its `notes`.
"""
