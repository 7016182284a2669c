"""kopf as the watch engine: its events put keys into the queue, and nothing else."""

from phase_operator import lean_packages

# Before any module here imports kopf, which would import the client whole.
lean_packages.make()
