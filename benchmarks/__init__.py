"""Benchmarks: speed, page cost and correctness of the counts under load. See README.md in this directory."""
