"""What is asked of Phase, and which entries of an answer count."""
