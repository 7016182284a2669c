"""Where things come from and what is made of them: `tree` and `trace`."""
