"""What `phase-operator doctor` looks at: facts of a cluster and of Phase, what they mean, and what to do about it."""
