"""`python -m phase_dev`: the same as `phase-dev`."""

from phase_dev.cli import main

if __name__ == "__main__":
    main(prog_name="phase-dev")
