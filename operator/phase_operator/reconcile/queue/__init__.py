"""A keyed work queue: coalesces, delays, runs a key once at a time.

`work_queue.py` has the loop in which workers wait. `schedule.py` decides which key is next, with the clock as an
argument, and `fair_turns.py` whose turn it is.
"""
