"""What `make bench` runs: the benchmark's command line, with the process's arguments and exit status."""

import sys

from bench.command import main

sys.exit(main())
