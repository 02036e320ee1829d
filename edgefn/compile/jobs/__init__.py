"""The compilers' processes: side by side, within the machine's memory and their time.

runner    compilers side by side
capacity  PURE: how many at once
machine   what a compiler holds of the memory
worker    one of them: a process, its limit, its log
job       what a compiler is told, and tells
lowering  the compiler's process itself
"""
