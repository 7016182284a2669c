"""The edge to Kubernetes: raw dicts, server-side apply, metadata-only reads. The `kubernetes` package lives here."""

from phase_operator import lean_packages

# Before any module here imports the client.
lean_packages.make()
