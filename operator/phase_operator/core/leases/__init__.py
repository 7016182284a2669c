"""Leases of dynamic secrets: which exist, what they are for, and what comes next."""
