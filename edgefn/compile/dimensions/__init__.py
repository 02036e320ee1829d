"""The free dimensions of a captured program: which lengths it takes, and what fixes one.

dimensions   lengths to export with
symbols      torch's names in the spec's words
guards       torch's conditions → ranges
guard_lines  the author's line of a condition
ranges       ranges mended by runs
rounding     lengths computed with fractions
texts        lengths that become text
"""
