"""Holdfast beside nginx, HAProxy and Envoy: one table of one run.

Law 1: all proxies get the same: threads, certificate, TLS version, suite and group, origin, load, and machine.
Law 2: a figure is the median of rounds; in each round every proxy is measured, in an order that turns from case to case,
so that what drifts on the machine drifts for all.
Law 3: each measurement has a proxy of its own, started for it and stopped after it. No proxy is judged by what an
earlier load left in its memory.
Law 4: CPU and memory are those of all processes of the proxy, read while nothing is in flight (`holdfast-load --gate`).
"""
