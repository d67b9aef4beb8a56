"""Policy: what becomes of one request. The Rust core asks (`policy.Policy`), these modules answer.

A request:  snapshot, zone (what is known) -> view -> decide, phases/ (in order) -> route, headers, answers -> decision.
News:       control_link (socket) -> conversation (messages) -> live -> compile (records, features, origin_rules,
            zone_certificates) -> snapshot, swapped in `policy`; journal keeps a copy on the disk.
Law: what decides awaits, logs and opens nothing. The policy thread runs it for every request, holding the GIL. The
link, the journal and `geoip.poll` run on threads of their own, and meet it in one attribute each, swapped as a whole.
"""
