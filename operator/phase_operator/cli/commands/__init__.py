"""One module a command: read the arguments, ask the rooms below, print what they say."""
