"""Whether a network gives the same answer to the same input.

purity     the same answer each time, or refused
histories  the same after another first input
effects    what a program does beside computing
draws      which line draws random numbers
"""
