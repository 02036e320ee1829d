"""Free dimensions: their words, their ranges, and sizes computed from them. Pure.

sizes        ranges of free sizes: `Dim(...)` declares one
expressions  sizes of outputs in the words of the inputs: "2*batch", "length // 4 + 1"
shapes       the shapes that a model's outputs must have, call by call
"""
