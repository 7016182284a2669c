"""The outcome of a run -> what users see: the status document, its conditions and Events."""
