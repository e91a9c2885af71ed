"""Functional coverage: which situations a set of co-simulations has been through.

`points` names what should be seen, `hardware`, `values` and `streams` see it in one run, `store`
adds runs up.
"""
