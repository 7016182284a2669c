"""What may hold a call to Phase back: the quota of an account, a host that fails, the share of a namespace or host."""
