"""What the commands say of themselves with `--help`."""

UP_HELP = """Put the edge in front of ORIGIN: any host name, straight to it. Or in front of a Worker, or of both.

Prints one "ready:" line for each address it serves. Ctrl-C stops it: every WebSocket is closed with 1001. SIGTERM
takes no new connections, and ends with those there are; again, it closes them.
"""

WORKER_DEV_HELP = """Serve a Worker while you edit it: any host name, no API, on port 8787.

A change of its files is served at once; WebSockets of Durable Objects stay open over it. One that does not load is told with its traceback, and what
was served before goes on. What the Worker logs is printed. It is `holdfast up --worker PATH --watch`.
"""

RUN_HELP = """Run the edge and the API that configures it.

Values come from defaults, then the file, then HOLDFAST_ variables, then flags; the last one wins. The first start
prints a token for the API, once. Ctrl-C stops it: every WebSocket is closed with 1001. SIGTERM takes no new
connections, and ends with those there are; again, it closes them.
"""

EDGE_HELP = """Run the edge alone, as a service manager would: it serves what control publishes.

Control is found by the socket in the data directory. Without it, the edge serves what it served last.
"""

CONTROL_HELP = """Run the API alone, as a service manager would: edges find it by the socket in the data directory."""

RELEASE_HELP = """Replace the processes of the `run` or `up` on this data directory, without dropping a connection.

A new edge is started beside the old one, on the same sockets. When it is ready, the old one takes no new connections
and keeps those it has. One that does not become ready changes nothing: exit status 1, and its sentence. SIGHUP to the
supervisor does the same.
"""

DRAIN_HELP = """End the `run` or `up` on this data directory when its clients have gone: no new ones are taken.

Connections that are left at the deadline are closed. SIGTERM to the supervisor does the same.
"""

INIT_HELP = """Make the database, an account, its owner and a token, without serving.

The token is printed once, and cannot be had again.
"""

CONNECT_HELP = """Open a WebSocket: type a line to send it, see what comes, leave with Ctrl-D.

Where standard input is not a terminal, its lines are sent; once replies stop, the connection is closed. What arrives
until then is printed.
"""

CONFIG_HELP = "The configuration of `run`: see it, check it."
RULE_HELP = "Rules of a zone: try one before it is there."
WORKER_HELP = "Workers: deploy, list, hear and remove scripts that answer requests."
SHOW_HELP = "Print every value, and where it came from. Secrets are left out."
CHECK_HELP = "Say whether the configuration can be used: exit status 0, or 2 with a sentence."

WAF_HELP = "Managed rules: load the OWASP Core Rule Set, see what there is."
LOAD_CRS_HELP = """Load the OWASP Core Rule Set of a folder for every edge, in the place of the one that was loaded.

The folder is a release as it is unpacked, or Debian's /usr/share/modsecurity-crs. Every rule is read and compiled first.
"""
SHOW_WAF_HELP = "Print the managed rulesets that rules may execute."
REMOVE_CRS_HELP = """Remove the OWASP Core Rule Set that was loaded, unless rules execute it.

Such rules would do nothing from then on, and say so nowhere but in the log and where health is asked for.
"""
