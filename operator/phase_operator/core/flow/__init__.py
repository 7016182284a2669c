"""Small machines without I/O: state inside, time an argument. Back-off, turns, outages, election."""
