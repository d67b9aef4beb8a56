"""Storage of Durable Objects: one SQLite file an object, and one table of the alarms of all objects of a script.

Self-contained: the standard library's sqlite3 and nothing else, no asyncio, no values (bytes come in, bytes go out).
"""
