"""What `python -m bench.workers` runs: the command line, with the process's arguments and exit status."""

import sys

from bench.workers.command import main

sys.exit(main())
