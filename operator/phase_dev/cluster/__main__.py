"""`python -m phase_dev.cluster`: the same as `phase-dev cluster`."""

from phase_dev.cluster.cli import cluster

if __name__ == "__main__":
    cluster(prog_name="phase-dev cluster")
