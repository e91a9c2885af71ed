"""Formal proofs: what must hold of a component, stated in Amaranth and proved by k-induction.

bench: a component with free inputs, and the statements about it. rules: the rules of a stream.
solver: Yosys and an SMT solver decide a bench. trace: the counterexample, readable. spec: the
arithmetic of docs/numerics.md, written a second time. queues, joins, elements, requantisers,
windows, pools, stations, loaders: the benches. proofs: the table that `shiftnas prove` works
through.
"""
