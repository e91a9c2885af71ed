"""Hardware side of shiftnas: network IR, integer reference, RTL, builds. Never imports torch."""
