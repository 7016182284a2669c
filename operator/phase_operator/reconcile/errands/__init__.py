"""Calls to Phase that a run plans and never waits for, such as those for leases; they have places of their own."""
