"""Quick tests of the benchmarks themselves."""
