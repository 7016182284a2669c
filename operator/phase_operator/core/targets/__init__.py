"""The objects that a PhaseSecret writes: what is desired, what is observed, and what to do about the difference."""
