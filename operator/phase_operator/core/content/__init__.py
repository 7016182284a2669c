"""Entries -> the bytes of one object: keys, values, formats, types and templates, within limits."""
