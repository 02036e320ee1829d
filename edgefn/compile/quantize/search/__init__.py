"""The search for a file within its bound.

attempts     the ways: ours, static or dynamic, and plain quantisation
trial        an attempt as its engine runs it
sensitivity  PURE: which layers stay in float
distance     PURE: how far outputs are from the eager ones, for that search
"""
