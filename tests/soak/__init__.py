"""The operator for an hour, with faults, kills and changes all the time: `make soak`."""
