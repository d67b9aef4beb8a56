"""Other people's test suites, run through the edge: nothing may be worse through it than without it.

Law 1: every suite runs twice against the same origin, directly and through the edge, in one run; so what the suite or the
origin does wrong counts for neither.
Law 2: the expected result is a file under `expected/`. A difference from it is a failure until somebody has looked at
it and recorded it anew.
"""
