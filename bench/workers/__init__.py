"""Workers and Durable Objects beside workerd, with the same object in Python and in JavaScript: one table of one run.

Law 1: both sides are asked by the same program (`holdfast-load`), for the same thing, on the same machine, and checked: every byte that
comes back is compared.
Law 2: a figure is the median of rounds; the sides are measured one after the other, and take turns at being the first.
Law 3: each measurement has a process of its own, with an empty data directory, and nothing that an earlier load left.
Law 4: what is said to have slept has slept: objects count how often they were made.
"""
