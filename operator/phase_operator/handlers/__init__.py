"""kopf as the watch engine: its events put keys into the queue, and nothing else."""
