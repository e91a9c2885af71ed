"""Mutation testing: small changes to the RTL, and which of them the testbench notices."""
