"""Inputs that drive a layer into its corners, made from its own weights, scales and formats.

Images seldom make a sum as large as its width allows, or a code of just one beyond the clamp.
`frames.make` solves for inputs that do: for each output channel the ends of its sum, the codes on
both sides of the clamp, values exactly between two codes. What a layer cannot reach, whatever it is
fed, is told from what there was no room for.
"""
