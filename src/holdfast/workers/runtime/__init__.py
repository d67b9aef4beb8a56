"""The process of one script: it loads user code, answers the edges' requests with it, and runs its objects.

process, __main__          put together; what the host says
loading, isolation         the code, its import system, what it may not do
environment, console       its bindings, what it prints
http_server, dispatch      requests on the script's socket, to user code and back
half, sockets, events      WebSockets as user code has them
reception, outgoing        where sockets of edges find their other end; `new WebSocket()`
pump, turns                handlers in order, without a task each; who has the loop
egress, handshake          the way out to the edges
"""
