"""What torch.export and the ONNX exporter complain of, told as what the user can do.

Pure: exceptions in, errors out. Each is one line: the operator, the author's own line, what to write instead.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from edgefn.compile.author import blame, symptoms
from edgefn.compile.dimensions.guards import Fixed, Tied
from edgefn.errors import BuildError, CaptureError
from edgefn.spec import ModelSpec, SizeRange

if TYPE_CHECKING:
    import torch

NUMPY_INSTEAD = "or do that step in the handler with NumPy"

_INSTEAD = {
    r"_linalg|linalg_|cholesky|triangular|\blu\b|_svd|_eigh|lstsq": "do that step in the handler with numpy.linalg",
    r"masked_select": "write torch.where(mask, x, 0) and reduce the result",
    r"sparse": "make the tensor dense in the builder: .to_dense()",
    r"cummax|cummin": "write torch.where(torch.ones(n, n).tril().bool(), x.unsqueeze(-2), -torch.inf).amax(-1) for the "
    "last axis of length n (of cummin: torch.inf and amin)",
    r"complex|polar|view_as_complex|fft": "write it with real tensors (cos and sin, torch.stft(...).abs())",
}
"""What to write instead of an operator that ONNX lacks, by a pattern of its name."""


_WITHOUT = (
    (
        r"\bbatched_nms\b",
        "torchvision's batched_nms() branches on the number of boxes: write torchvision.ops.nms(boxes + labels[:, "
        "None] * (boxes.max() - boxes.min() + 1), scores, iou)",
    ),
    (r"\bi?sqrt\(", "math.sqrt() turns a length into a plain number: write int(n ** 0.5)"),
    (r"\bmath\.\w+\(", "math's functions turn a length into a plain number: write it with +, *, //, ** and min()"),
    (
        r"\b(resize|resized_crop|center_crop)\(|torchvision.transforms",
        "torchvision's resize branches on the sizes in Python: write torch.nn.functional.interpolate(x, size=(height, "
        'width), mode="bilinear"), or resize in the handler',
    ),
    (r"\blen\(", "len() turns a length into a plain number: write x.shape[0]"),
    (
        r"\bfor\b.+\bin\b",
        "the length of the example sets the number of steps of a loop in forward(): compute all its steps at once",
    ),
    (
        r"\b(?<!\.)(min|max)\(",
        "Python's min() and max() branch on the example's sizes: write torch.sym_min() and torch.sym_max()",
    ),
)
"""What to write instead of a line that fixes a free length, by a pattern of the line."""


def _way_out(where: str) -> str:
    """Return the advice for the line that fixes a length; "" where there is none."""
    return next((way for pattern, way in _WITHOUT if re.search(pattern, where)), "")


def not_free(model: str, found: Fixed | Tied, where: str = "") -> BuildError:
    """Make the error for free dimensions that have only one length or depend on each other.

    `where` is the author's line that fixes the length, if it is known.
    """
    instead = _way_out(where)
    if isinstance(found, Fixed):
        rules = ", ".join(f"{word} = {length}" for word, length in found.lengths.items())
        return CaptureError(
            f"model {model}: {_are(list(found.lengths))} not free; the network only works for {rules}"
            f"{where and f' ({where})'}. {f'{instead}. Or write' if instead else 'Write'} those as numbers in "
            "tensor(...), or make forward() work for any size"
        )
    return BuildError(
        f"model {model}: its free dimensions depend on each other; the network only works where {found.condition}"
        f"{where and f' ({where})'}. {instead and f'{instead}. '}"
        'Give dimensions that are always equal the same word, declare limits with Dim("length", min=..., max=...) '
        "under which this always holds, or make forward() work for any sizes"
    )


def samples_out_of_range(model: str, word: str, length: int, allowed: SizeRange, where: str) -> BuildError:
    """Make the error for a program that is right only for other lengths than the samples'."""
    return BuildError(
        f"model {model}: its samples have {word} = {length}, for which forward() takes another branch than for other "
        f"lengths (those are {allowed}{where and f'; {where}'}); name the dimension in squeeze(), remove the branch "
        f"on {word} being {length}, give samples of another length, or write {length} as a number in tensor(...)"
    )


def _are(words: Sequence[str]) -> str:
    return f"{' and '.join(words)} {'is' if len(words) == 1 else 'are'}"


def not_exported(spec: ModelSpec, lengths: Mapping[str, int], error: Exception) -> BuildError:
    """Make the error for a network that raised, or that torch.export refused, at these example lengths."""
    where = blame.line(error) or blame.library(error)
    symptom = symptoms.find(error)
    said = _operator_of(error) or f"{type(error).__name__}: {blame.first_line(error)}"
    sizes = ", ".join(f"{word} = {length}" for word, length in lengths.items())
    what = (symptom.what if symptom else "") or f"{said}{sizes and f', with {sizes}'}"
    advice = symptom.do if symptom else "call the network in eager PyTorch on a batch of two to see it"
    return CaptureError(f"model {spec.name} does not export: {what}{where and f' ({where})'}; {advice}")


def scripted(model: str, name: str) -> BuildError:
    """Return the error for a submodule that is TorchScript, which torch.export does not take apart."""
    return CaptureError(
        f"model {model} does not export: its submodule {name} is TorchScript (torch.jit.script or torch.jit.load); put "
        "there the module that it was made of, or script the whole network and return that"
    )


def specialised(spec: ModelSpec, lengths: Mapping[str, int], text: str) -> dict[str, int]:
    """Return the dimensions that torch says it had to fix, with their example lengths."""
    shapes = [tensor.shape for tensor in spec.inputs.values()]
    found = re.findall(r"marked L\['\w+'\](?:\[(\d+)\])?\.size\(\)\[(\d+)\] as dynamic but your code specialized", text)
    words = [shapes[int(number or 0)][int(axis)] for number, axis in found]
    return {word: lengths[word] for word in words if isinstance(word, str)}


def not_translated(model: str, program: torch.export.ExportedProgram, error: Exception) -> BuildError:
    """Make the error for a program with a step that does not exist in ONNX, or for a failed exporter."""
    operator = _operator(error)
    where = (_failing_line(error) or _source_line(program, operator)) if operator else ""
    causes = list(_causes(error))
    missing = any(type(cause).__name__ == "DispatchError" for cause in causes)
    said = blame.first_line(causes[-1])
    if found := re.search(r"No ONNX function found for <built-in function (\w+)>", str(error)):
        return _not_of_lengths(model, found[1], _failing_line(error))
    what = f"ONNX has no operator for {operator}" if operator and missing else said
    if operator and not missing:
        what = f"PyTorch's exporter fails at {operator}: {said}"
    if operator and said.startswith("Unsupported attribute type"):
        what = f"an option of {operator} (groups, a step, a size) is a free length, but ONNX takes only a number there"
        return CaptureError(
            f"model {model} does not export to ONNX: {what}{where and f' ({where})'}; write that length as a number in "
            "tensor(...), e.g. a batch of 1, or compute it without that option"
        )
    instead = next((way for pattern, way in _INSTEAD.items() if re.search(pattern, operator)), "")
    advice = instead or f"write it with other operators, {NUMPY_INSTEAD}"
    return CaptureError(f"model {model} does not export to ONNX: {what}{where and f' ({where})'}; {advice}")


def _not_of_lengths(model: str, function: str, where: str) -> BuildError:
    """Return the error for a function of Python that is called with a free length."""
    instead = "for round(n / k) write (2 * n + k) // (2 * k), " if function == "round" else ""
    return CaptureError(
        f"model {model} does not export to ONNX: ONNX has no form for {function}() of a free "
        f"length{where and f' ({where})'}; {instead}write it with +, *, // and min(), or write the length as a number "
        "in tensor(...)"
    )


def foreign(model: str, operator: str, trace: str) -> BuildError:
    """Make the error for an operator of another library that has no form in ONNX or in PyTorch.

    Its body is not made of PyTorch's own operators.
    """
    where = _user_line(trace)
    return CaptureError(
        f"model {model} does not export: {operator}{where and f' ({where})'} is not an operator of PyTorch, ONNX has "
        "none for it, and its body calls code outside PyTorch; write it in PyTorch (torch.library.custom_op may "
        f"stay), {NUMPY_INSTEAD}"
    )


def not_translated_freely(model: str, condition: str) -> BuildError:
    """Make the error for an operator whose ONNX form holds for only a part of the lengths."""
    return BuildError(
        f"model {model} does not export to ONNX for every length that it takes: an operator of it is translated only "
        f"for {condition}. Write numbers instead of these words in tensor(...), declare lengths for which this always "
        'holds, e.g. Dim("length", multiple_of=8), or write the step with other operators'
    )


def random(model: str, operator: str, trace: str, way_out: str) -> BuildError:
    """Make the error for a program that draws random numbers: an artifact would draw others."""
    where = _user_line(trace)
    return CaptureError(
        f"model {model}: forward() draws random numbers ({operator}{where and f', {where}'}): {way_out}"
    )


def state(model: str, buffers: Sequence[str]) -> BuildError:
    """Make the error for a program whose answers depend on its earlier writes to its buffers."""
    names = ", ".join(f"self.{name.removeprefix('network.')}" for name in buffers)
    return CaptureError(
        f"model {model}: its answers depend on earlier calls: forward() writes {names}, which an artifact does not "
        "keep. Make it an input and an output: forward(..., state) returns (y, state), and the caller passes it on"
    )


def _operator_of(error: Exception) -> str:
    """Describe the failure at an operator that torch.export does not know; empty for other failures."""
    found = re.search(r"UnsupportedOperator\w*: (\w+\.\w+)", f"{type(error).__name__}: {error}")
    return f"torch.export does not know {found[1]}" if found else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and its causes, the first cause last."""
    while error is not None:
        yield error
        error = error.__cause__


def _operator(error: BaseException) -> str:
    """Return the ATen operator that an exporter's chain of errors names, or an empty string.

    An example is "aten.special_i0".
    """
    for cause in _causes(error):
        found = re.search(r"OpOverload\(op='([\w.]+)'", str(cause)) or re.search(r"torch\.ops\.(\w+\.\w+)", str(cause))
        if found:
            return found[1]
    return ""


def _failing_line(error: BaseException | None) -> str:
    """Return the user's line of the node that the exporter was at, or an empty string.

    The exporter decomposes further than torch.export does: the operator that it names may be in no program that we
    have.
    """
    for cause in _causes(error):
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            meta = getattr(frame.f_locals.get("node"), "meta", None)
            if isinstance(meta, dict) and (line := _user_line(str(meta.get("stack_trace") or ""))):
                return line
    return ""


def _source_line(program: torch.export.ExportedProgram, operator: str) -> str:
    """Return the user's line that runs `operator`, or an empty string.

    The program is searched as written, then as decomposed.
    """
    name = operator.rpartition(".")[2]
    sources: list[Callable[[], torch.export.ExportedProgram]] = [lambda: program, program.run_decompositions]
    for source in sources:
        try:
            nodes = source().graph.nodes
        except Exception:  # it does not decompose: then there is no line of it
            return ""
        for node in nodes:
            if name in str(node.target) and (line := _user_line(node.meta.get("stack_trace") or "")):
                return line
    return ""


def _user_line(trace: str) -> str:
    """Return the last frame of a trace that is the user's, else the last of all; empty without frames."""
    frames = re.findall(r'File "([^"]+)", line (\d+), in ([\w<>]+)\n\s*(.*)', trace)
    frames = [frame for frame in frames if not blame.is_own(frame[0])]
    users = [frame for frame in frames if blame.is_user(frame[0])] or frames
    return 'File "{}", line {}, in {}: {}'.format(*users[-1]) if users else ""
