"""The edge to Phase; httpx lives here only."""
