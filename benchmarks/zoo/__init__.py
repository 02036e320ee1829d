"""The list of public networks: each is built as its user would, and judged by an oracle of its own.

network    an entry of the list
catalogue  the entries, by where they come from
inputs     what goes in
settled    random weights that behave as trained ones; copied beside each function
project    a function's folder and its build
oracle     errors as a share of what another input changes, at the samples' sizes and at others
plain      ONNX Runtime's own static quantisation, for comparison
trial      one network, built and judged
record     what became of it, a line of JSON
table      docs/networks.md
__main__   the command line
"""
