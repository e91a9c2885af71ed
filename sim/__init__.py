"""Co-simulation: cocotb and Verilator against the integer reference. Imports hw, never torch."""
