"""A captured program traced and frozen.

lowering      model.pt, and its record
tracing       the trace, held against the program at another batch size
"""
