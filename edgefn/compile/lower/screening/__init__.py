"""A file's operators, each tried alone with numbers that samples seldom have, before an engine may run the file.

    steps.py     the unlike steps of a file, and one file of them all
    numbers.py   numbers of every kind
    screen.py    an engine's answers against ONNX Runtime's, which runs each step as it stands

Runs on the build machine only. What several steps become together in an engine is not seen here: samples see that.
"""
