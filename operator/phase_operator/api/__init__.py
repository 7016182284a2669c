"""The contract with users: names, kinds, reasons. It imports nothing of ours, so that everything may import it."""
