"""Networks compiled ahead of time by PyTorch, for a CPU of one profile.

lowering      model.so, and its record
compiler      the program compiled by g++
instructions  the compiler's flags for a CPU's features
recurrent     layers that would be unrolled into thousands of steps
"""
