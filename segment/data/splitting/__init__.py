"""Geometry of splits and crops: which tiles belong to which part, and where crops may be."""
