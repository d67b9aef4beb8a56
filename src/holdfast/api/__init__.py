"""The v4 API: one module a noun, each handler parses, operates and wraps.

Law 1: a handler knows what it may do from the one dependency that let it in (`access`), and nothing else lets it in.
Law 2: an error is an `ApiFault` from the table in `faults`; whatever else is raised is a 500 that tells nothing.
Law 3: a write and its audit entry are one transaction; after it `ApiContext.on_change` publishes.
"""
