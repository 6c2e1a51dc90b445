"""Model folders on a hub of models: download by name, folders to upload."""
