"""Reports as HTML pages, and their figures."""
