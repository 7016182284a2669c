"""The first token and the first resource: `auth` and `init`."""
