"""What `sync`, `suspend` and `resume` wait for, and which keys changed."""
