"""Comparisons: strategies and genotypes by settings by seeds, one table (`shiftnas compare`)."""
