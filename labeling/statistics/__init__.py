"""Statistics of labels: pure, documented functions on numpy, each named after its paper.

A figure that the data cannot give is an Estimate without a value that says why: never NaN, and
never a 0 or 1 that looks like one.
"""
