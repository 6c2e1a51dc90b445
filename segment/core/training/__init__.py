"""Training: the loop, its devices, and the run folders it writes."""
