"""PhaseDynamicSecrets: drive the leases of each by its ledger, and keep its targets in step with what serves."""
