"""The host of scripts: the process that starts, replaces and watches one process for each script, and hands out its log.

`script` decides, in pure code; `hosting` carries it out; `desk` is where control and commands ask.
"""
