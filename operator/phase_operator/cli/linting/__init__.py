"""Judge resources in files: as the API server would judge them, and then as the operator would."""
