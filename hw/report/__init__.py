"""One self-contained HTML page about a run: no script, no font and no picture from elsewhere."""
