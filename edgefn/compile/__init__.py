"""capture → lower → verify → report: from a function's folder to a bundle. The only room where torch lives.

    __main__.py    python -m edgefn.compile            build.py       the whole build, in order
    events.py      NDJSON on the real stdout           usercode.py    what the user's code raises, told
    blame.py       tracebacks, from the user's frames

    eager.py       the network, run by PyTorch         capture.py     network → exported program
    onnx_file.py   ONNX without noise                  refusals.py    why one does not export, and what to do
    recording.py   real samples → golden samples       goldens.py     the same, when they must be made
    verify.py      artifact against golden samples     artifacts.py   one artifact: capture, lower, verify
    wheelhouse.py  the wheels of requirements.txt      report.py      what is said of it all

    cache.py       results by what they depend on      sources.py     what those are, of a function's folder
    closure.py     which source a name depends on      environment.py what is installed

Importing any of these does not import torch; what needs it does, when it is called.
"""
