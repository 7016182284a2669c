"""Small machines without I/O: state inside, time an argument. The queue of runs, turns, back-off, election."""
