"""The steps from an empty database to today's tables, and from each older version. Run by `holdfast.store.upgrade`.

Law: a step that has been released is never changed; a change of `schema.py` comes with a step of its own.
"""
