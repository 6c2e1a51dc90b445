"""Images with their labels, tiles of a folder or scenes as they are, and their pixels."""
