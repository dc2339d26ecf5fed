"""A local Discord for the demo, tests and benchmarks."""
