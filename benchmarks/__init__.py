"""What Scratchy costs, each figure beside its floor in the same run: `python -m benchmarks start`, … or `all`."""
