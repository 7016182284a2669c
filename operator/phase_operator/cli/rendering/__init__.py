"""Render the targets of PhaseSecrets in files, from entries in a file or from Phase."""
