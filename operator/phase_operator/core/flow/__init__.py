"""Small machines without I/O: state inside, time an argument. Queues, limits, back-off, election."""
