"""Tracebacks cut down to what the function's author wrote."""

from __future__ import annotations

from edgefn_cli.display.traces import trimmed

BOX = "/home/u/.local/state/edgefn/bundles/" + "ab" * 32 + "/code"
TRACE = f"""Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/edgefn_runtime/child/template.py", line 61, in load
    function = load(folder)
               ^^^^^^^^^^^^
  File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import
  File "{BOX}/echo.py", line 3, in <module>
    import table
  File "{BOX}/table.py", line 1, in <module>
    {{}}["key"]
    ~~~~^^^^^^^
KeyError: 'key'"""


def test_only_the_authors_frames_are_left() -> None:
    """The machinery's frames go with their source lines; a box's paths are those of the folder being edited."""
    assert trimmed(TRACE, "/src/echo", {}) == (
        "Traceback (most recent call last):\n"
        '  File "/src/echo/echo.py", line 3, in <module>\n'
        "    import table\n"
        '  File "/src/echo/table.py", line 1, in <module>\n'
        '    {}["key"]\n'
        "    ~~~~^^^^^^^\n"
        "KeyError: 'key'"
    )


def test_a_trace_of_edgefn_alone_stays_whole() -> None:
    """Then edgefn is what failed, and the trace is all there is to go by."""
    trace = 'Traceback\n  File "/x/edgefn/spec.py", line 3, in y\n    z\nKeyError: 1'
    assert trimmed(trace, "/src/echo", {}) == trace


def test_no_trace_is_no_trace() -> None:
    """An error without a trace adds nothing."""
    assert trimmed("", "/src/echo", {}) == ""
