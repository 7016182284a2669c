"""What `get`, `explain`, `events` and `logs` show of resources."""
