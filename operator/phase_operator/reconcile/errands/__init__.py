"""Calls to Phase that a run plans and never waits for, such as those for leases; workers of their own make them."""
