"""What can go wrong with a tool, said in one sentence."""


class ToolError(Exception):
    """Something is missing or did not work; the text is one sentence for the person at the terminal."""


class StartFailed(ToolError):
    """A program ended, or did not become ready in time; the text carries the end of its log."""
