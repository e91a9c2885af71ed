"""Fuzzing: random networks, plans, images and stalls, each run as RTL against the reference."""
