"""What the exceptions of PyTorch mean for the author of a network, and what to write instead.

A table, and the search in it. Pure: reads an exception and its traceback, never raises.
"""

from __future__ import annotations

import re
import traceback
from typing import NamedTuple

from edgefn.compile.author import blame


class Symptom(NamedTuple):
    """One kind of failure.

    said   a pattern of what the exception is called and says
    line   a pattern of the author's line that raised it
    what   the failure in the author's words; empty where the exception says it well enough
    do     what to write instead
    """

    said: str
    line: str
    what: str
    do: str


_VALUES = r"GuardOnDataDependent|data-dependent|DataDependentOutput|Dynamic control flow|UserError.*unbacked"
_IN_THE_HANDLER = "or do that step in the handler with NumPy"

PACKED = Symptom(
    "",
    "",
    "artifacts cannot hold packed sequences (pack_padded_sequence)",
    "run the padded tensor through the network and take each row's step at lengths - 1; a bidirectional one takes one "
    "unpadded row a call",
)

SYMPTOMS = (
    Symptom(
        r"SymIntArrayRef expected to contain only concrete integers",
        r"generator",
        "forward() draws random numbers of a free size",
        "make the noise an input that the handler draws",
    ),
    Symptom(
        r"SymIntArrayRef expected to contain only concrete integers",
        "",
        "this step takes only plain numbers for sizes, but one of them is a free length",
        "write that length as a number in tensor(...), or compute the step with other operators",
    ),
    Symptom(
        _VALUES,
        r"\b(Normal|LogNormal|Categorical|Bernoulli|Beta|Gamma|Dirichlet|Laplace|MultivariateNormal|StudentT|Uniform|"
        r"Exponential|Independent|MixtureSameFamily|TransformedDistribution)\(|\.(log_prob|cdf|icdf)\(",
        "a distribution checks the values of its parameters and samples",
        "write validate_args=False as an argument of each distribution",
    ),
    Symptom(
        _VALUES,
        r"\b(while|for|range)\b",
        "a loop runs as often as a tensor's values say",
        f"loop a fixed number of times with torch.where, {_IN_THE_HANDLER}",
    ),
    Symptom(
        _VALUES,
        r"\bassert\b|\braise\b",
        "a tensor's values are checked in forward()",
        "leave out the check, or do it in the handler",
    ),
    Symptom(
        _VALUES,
        r"\.item\(|\.tolist\(|\bint\(|\bfloat\(|\bbool\(",
        "a tensor's values are converted to a Python number",
        f"keep it a tensor (masks, torch.where, index_select, gather), {_IN_THE_HANDLER}",
    ),
    Symptom(
        _VALUES,
        "",
        "a branch depends on a tensor's values",
        f"write it with torch.where or torch.cond, {_IN_THE_HANDLER}",
    ),
    Symptom(
        r"does not require grad|inference tensor|backward through",
        "",
        "forward() computes a gradient (torch.autograd.grad), which artifacts cannot do",
        (
            "write out the derivative with torch's operators, or return the differentiated value and compute the "
            "derivative in the handler"
        ),
    ),
    Symptom(
        r"\.numpy\(\) is not supported|numpy.*FakeTensor|FakeTensor.*numpy|Can't call numpy\(\)|__array__",
        "",
        "forward() calls NumPy",
        f"write it with the functions of torch, {_IN_THE_HANDLER}",
    ),
    Symptom(
        r"FakeTensor\.__format__|FakeTensor\.__repr__",
        "",
        "forward() prints or formats a tensor's values",
        "leave out the print, log or f-string",
    ),
    Symptom(
        r"deserialize object on a CUDA device",
        "",
        "the checkpoint was saved on a GPU",
        'write torch.load(path, map_location="cpu")',
    ),
    Symptom(
        r"Torch not compiled with CUDA|NVIDIA driver|No CUDA GPUs|CUDA error|device type cuda|torch\._C\._cuda",
        "",
        "the code needs a GPU, but a build runs on the CPU",
        "leave out .cuda() and .to('cuda'); in forward() write .to(x.device)",
    ),
    Symptom(
        r"Weights only load failed",
        "",
        "torch.load takes only tensors, but the file holds other Python objects",
        "save network.state_dict() and load that, or write weights_only=False for a file that you trust",
    ),
    Symptom(
        r"Error\(s\) in loading state_dict",
        "",
        "",
        "build the same network that wrote the checkpoint (classes, width, prefix of the names)",
    ),
    Symptom(
        r"same dtype.*(BFloat16|Half|Double)|(BFloat16|Half|Double).*same dtype|expected (scalar|m1).*(BFloat16|Half|"
        r"Double)|type \(.*(BFloat16|Half|Double).*should be the same",
        "",
        "",
        "weights and inputs have different dtypes: declare the input in the weights' dtype, or return "
        "network.float() from the builder and remove .half(), .double() and .bfloat16() from forward()",
    ),
    Symptom(
        r"LinearPackedParams|ConvPackedParams|__torch__\.torch\.classes|quantized::",
        "",
        "the network is quantised already",
        "return the float network and ask for an int8 target (`--target all-native`), which edgefn quantises",
    ),
    Symptom(
        r"shapes cannot be multiplied|to have \d+ channels|size mismatch|must match the size|invalid for input of size"
        r"|Expected more than 1 value|Expected \d+D|Expected input",
        "",
        "",
        "compare the shapes of inputs= with those that forward() takes; the first dimension is the batch",
    ),
    Symptom(
        r"assigned during export|Mutating module attribute|leaked",
        "",
        "forward() keeps a tensor in an attribute for the next call",
        "make it an input and an output, or build it in the builder",
    ),
    Symptom(
        r"unhashable type.*Sym(Int|Float)",
        "",
        "a free length is looked up in a dict, a set or a cache (lru_cache)",
        "compute the looked-up value at each call, or write the length as a number in tensor(...)",
    ),
    Symptom(
        r"unsupported operand.*divmod.*Sym",
        "",
        "divmod() does not take a free length",
        "write n // k and n % k",
    ),
    Symptom(
        r"sparse",
        "",
        "sparse tensors cannot be captured",
        "make them dense in the builder: .to_dense()",
    ),
    Symptom(
        r"FakeTensor",
        "",
        "",
        "this line reads a tensor's values, which do not exist during capture: write it with the functions of torch, "
        f"{_IN_THE_HANDLER}",
    ),
)


def find(error: BaseException) -> Symptom | None:
    """Return the first symptom that `error` shows; None where it is none of the table."""
    if _packs(error):
        return PACKED
    said = f"{type(error).__name__}: {error}"
    where = blame.line(error)
    return next((one for one in SYMPTOMS if _shows(one, said, where)), None)


def _shows(symptom: Symptom, said: str, where: str) -> bool:
    return bool(re.search(symptom.said, said)) and bool(re.search(symptom.line, where.partition(": ")[2]))


def _packs(error: BaseException) -> bool:
    """Tell whether a local variable of the traceback of `error` is a packed sequence."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(_is_packed(value) for frame, _ in frames for value in frame.f_locals.values())


def _is_packed(value: object) -> bool:
    return type(value).__name__ == "PackedSequence"
