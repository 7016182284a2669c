"""kopf: events in, keys into the queue, nothing else."""
