"""Moving over from another operator: what would differ, what its resources become, and which Secrets change hands.

Rule: nothing here reads a cluster or Phase, or prints. What was written by others is read as data: unknown fields are
named and never dropped in silence, and a text of others is made safe before it becomes a message or a comment.
"""
