"""Hardware side of shiftnas: network IR, integer reference, RTL generator, build. Never imports torch."""
