"""The edge to Kubernetes: raw dicts, server-side apply, metadata-only reads. The `kubernetes` package lives here."""
