"""Entries that are pushed to Phase: what the cluster wants there, whose an entry is, and what comes next."""
