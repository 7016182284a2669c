"""The main job on a real API server, for someone who sees it the first time."""
