"""What is asked of Phase, and when: accounts, queries, calls and their answers."""
