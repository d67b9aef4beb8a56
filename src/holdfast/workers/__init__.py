"""Python Workers and Durable Objects: user code as the other end of a WebSocket, in a process of its own for each script.

sdk/        what user code imports (`workers`, `js`, `pyodide`), source-compatible with Cloudflare's Python Workers
runtime/    the script's process: loads user code, serves requests, dials out
channel/    the session channel to the edges, which hold the sockets
durable/    Durable Objects: ids, stubs, instances, gates, alarms
host/       the process that starts, replaces and watches the scripts' processes
"""
