"""Results of a build, by what they depend on.

cache        results below `<project>/.edgefn/cache/`, by key
sources      the keys of a function's folder
environment  what is installed, as far as results depend on it
wheelhouse   the wheels of requirements.txt
"""
