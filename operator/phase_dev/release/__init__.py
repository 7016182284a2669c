"""A release: one version everywhere, everything built from one commit, and pushed when all of it is there."""
