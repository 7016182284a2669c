"""What the next run of the operator would do for a resource, compared with what is there."""
