"""Everything that is kept: accounts, zones, settings, records, certificates, tokens, the audit log. The one room with SQL.

Law 1: one statement a function; what it returns are values, never rows.
Law 2: a write is one transaction, and is on the disk when it returns. It raises the revision, so that nobody misses it.
Law 3: the same statements run on SQLite and PostgreSQL.
"""
