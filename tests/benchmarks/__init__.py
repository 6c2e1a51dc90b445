"""Benchmarks, run by `make bench`.

Each prints one line of JSON per figure. Programs that are compared take turns within one run.
"""
