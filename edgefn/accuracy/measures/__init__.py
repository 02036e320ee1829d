"""What is measured of an artifact's answers against eager's. PURE: arrays in, figures out.

structure   names, dtypes, shapes, NaN and infinity
slices      parts of an output that are judged by themselves
spread      how far eager's answer moves between samples
figures     the statistics of one slice
special     masks, NaN and other values that are no measurements
far         what is so far from all else that it is taken for a mask, and is none
classes     outputs that are class scores: the axis, how that is known, top-1 with its interval
ordering    outputs whose rows are ordered by scores, of which nearly equal ones may swap
invariants  rules that eager's answers keep: between 0 and 1, rows that sum to 1
shares      rare values of whole numbers: at the same places?
"""
