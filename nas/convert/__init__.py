"""Conversion of a model of one's own to shift weights."""
