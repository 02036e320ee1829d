"""capture → lower → verify → report: from a function's folder to a bundle. The only room where torch lives.

    __main__.py    python -m edgefn.compile            build.py       the whole build, in order
    events.py      NDJSON on the real stdout           usercode.py    what the user's code raises, told
    blame.py       tracebacks, from the user's frames
    boundary.py    what the user's code may read and import, by whose turn it is
    reads.py       which files it has read             unknown_reads.py  those in no key, and the line to add
    imports.py     what a box cannot import            aside.py       what nobody observes

    eager.py       the network, run by PyTorch         capture.py     network → exported program
    arguments.py   declared inputs → forward()         results.py     what forward() returns → named tensors
    conversion.py  a builder's network, made ready     purity.py      the same answer each time, or refused
    histories.py   the same after another first input  effects.py     what a program does beside computing
    draws.py       which line draws random numbers
    foreign.py     operators of other libraries        symptoms.py    what an exception means, and the way out
    files/         networks that come as files: TorchScript, .pt2, .onnx
    exporting.py   free dimensions, kept free          dimensions.py  lengths to export with
    guards.py      torch's conditions → ranges         ranges.py      those mended by runs
    guard_lines.py the author's line of a condition
    probes.py      a program at other lengths          symbols.py     torch's names in the spec's words
    recurrent.py   recurrent layers, kept whole        rewrites.py    steps written otherwise
    substitutes/   functions replaced while recorded   translations/  ONNX of our own
    empties.py     what is asked of nothing            rounding.py    lengths computed with fractions
    texts.py       lengths that become text            onnx_constants.py  its numbers, as they are
    onnx_spectra.py  Fourier transforms, run as written   onnx_sums.py  sums of very many numbers
    onnx_recurrent.py  recurrent layers of no row, refused
    onnx_file.py   ONNX without noise                  onnx_values.py its values, by names of their own
    onnx_registry.py  the exporter's table, read once              onnx_steps.py  steps before a node, or for it
    refusals.py    why one does not export, and what to do
    recording.py   real samples → recorded calls       goldens.py     golden samples, when they must be made
    calibration.py what int8 is calibrated on          wheelhouse.py  the wheels of requirements.txt

    wanted.py      targets and groups, spelled out     available.py   which of them can be built here
    piece.py       one artifact that is wanted         making.py      what has become of it
    artifacts.py   capture, compile, time              report.py      what is said of it all

    trials.py      inputs made of samples             answering.py   eager's answers to them
    provenance.py  what joins the outputs             judgements.py  what artifacts are judged by
    engines.py     an engine against another

    crew.py        compilers side by side              worker.py      one of them: a process, its limit, its log
    capacity.py    PURE: how many at once              machine.py     what a compiler holds of the memory
    job.py         what a compiler is told, and tells  snapshot.py    a captured network as files
    lowering.py    the compiler's process itself       verify.py      artifact against golden samples, and timed

    answers/       the handler's answers, compared
    cache.py       results by what they depend on      sources.py     what those are, of a function's folder
    closure.py     which source a name depends on      environment.py what is installed

Importing any of these does not import torch; what needs it does, when it is called.
"""
