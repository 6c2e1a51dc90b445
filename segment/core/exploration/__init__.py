"""Exploration of data: statistics, checks and figures that both packages share."""
