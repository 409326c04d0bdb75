"""How fast is the shop, how right are its counts, and against what? See benchmarks/README.md."""
