"""Control: where configuration is written, kept and published from.

database -> Publisher (documents) -> LinkServer (edges) ; API -> on_change -> Publisher.
Law: control holds no socket of a client and no connection depends on it: it may end at any moment.
"""
