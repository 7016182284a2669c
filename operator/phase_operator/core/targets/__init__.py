"""The objects that a PhaseSecret writes: desired, observed, and what to do about the difference."""
