"""The image: built, run, listed and checked on a machine without a container daemon."""
