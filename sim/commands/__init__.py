"""Subcommands of the simulation side, one file each."""
