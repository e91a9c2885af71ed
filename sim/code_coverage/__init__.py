"""Code coverage of the emitted Verilog: which lines, branches and bits a set of runs has exercised.

`points` reads what a Verilator model wrote, `store` adds runs up, `exclusions` and `constants` say
what need not be hit and why, `summary` counts, `info` and `page` write it for others to read.
"""
