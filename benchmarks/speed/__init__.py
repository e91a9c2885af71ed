"""What `benchmarks/search_speed.py` measures: the steps of `nas/` and of `straightforward/`."""
