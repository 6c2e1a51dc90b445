"""Uploads and requests: what the server accepts, from whom, and how much of it is kept."""
