"""`edgefn stop NAME`: a function at zero processes."""

from __future__ import annotations

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument, JsonOption


def stop(name: FunctionArgument, box: BoxOption = None, as_json: JsonOption = False) -> None:
    """End all processes of a function now; its next request starts it again.

    Requests in flight are answered first. The function stays deployed; remove it with `edgefn remove`.

    Example: edgefn stop classify_image
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.stop(name)
    if as_json:
        output.result(found.json)
    else:
        output.say(f"{name} is {found.value.state}: no process is left; the next request starts one")
