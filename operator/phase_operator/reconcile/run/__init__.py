"""One PhaseSecret, once: from its spec to its targets and its outcome."""
