"""Every parser and pure decision that takes what others wrote, tried with input that a machine thinks up."""
