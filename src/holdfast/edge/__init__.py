"""Policy: what becomes of one request. The Rust core asks (`policy.Policy`), these modules answer.

snapshot (what is known) -> decide (the phases) -> decision (the value) -> headers, answers (what it contains).
Law: nothing here awaits, logs, or opens anything. The policy thread runs it for every request, holding the GIL.
"""
