"""Calls between scripts, each in a process of its own: bindings as user code has them, what goes over the wire, and who answers it.

A call is one HTTP request to an edge, which knows where the binding leads (`edge.worker_calls`), and passes it to the other script's process.
"""
