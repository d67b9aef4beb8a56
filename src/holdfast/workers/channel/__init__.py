"""The session channel as the script's process sees it: records, the links they come by, and the sockets they are about.

`records` is pure: bytes in, records out. `link` is one connection of a tunnel loop of an edge, `hub` holds all of them, `intake`
knows what their records mean, `session` is one socket of an edge, `binding` is what an edge keeps for us beside it. Nothing here knows user code.
"""
