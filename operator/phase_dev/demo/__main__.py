"""`python -m phase_dev.demo`: the same as `phase-dev demo`."""

from phase_dev.demo.cli import demo

if __name__ == "__main__":
    demo(prog_name="phase-dev demo")
