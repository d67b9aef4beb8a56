"""How often something may happen: counters of requests by client, in memory of a fixed size. Pure: time is an argument.

counters.RateCounters(memory, secret=...)   sliding windows over a bytearray or a mapped file; `.hit(key, now=...) -> Verdict`
verdict.Verdict                             whether the request is beyond the limit, and when to come back
window.Window                               the arithmetic of one client's window, without any memory
"""
