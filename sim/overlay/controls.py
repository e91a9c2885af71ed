"""Registers of an overlay's harness, for the test inside the simulator: it imports nothing else, as
it starts with every run."""

CONTROLS = (
    "clk", "go", "stall_from", "pattern", "stall", "seed", "patience", "most_cycles", "resets",
    "expected",
)  # fmt: skip
"""That the test sets."""

REPORTS = (
    "stop", "cycle", "broken", "unknown", "longest_idle", "logits_taken", "program_sent",
    "image_sent", "finished",
)  # fmt: skip
"""That it reads."""
