"""The pure centre: values in, values out.

Pure means: no await, no clock, no log, no I/O, no randomness. Whatever a function here needs is an argument, and what
it decides is returned as data. So the hard part of the operator is tested with plain values.
"""
