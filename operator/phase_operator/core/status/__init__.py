"""What a run came to -> what users see: the status document, its conditions and Events."""
