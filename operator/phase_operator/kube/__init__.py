"""The edge to Kubernetes: the `kubernetes` package lives here only. Raw dicts, server-side apply, metadata-only reads."""
