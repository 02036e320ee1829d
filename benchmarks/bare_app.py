"""The simplest thing that does the same: Starlette, Pillow and an ONNX Runtime session in one process.

    BARE_MODEL=model.onnx BARE_LABELS=labels.txt uvicorn benchmarks.bare_app:app

Written as a good engineer would who has an afternoon: uvloop and httptools, one session, the work of a request in a
thread, one thread a run so that two requests use both cores.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BARE_MODEL"], options, providers=["CPUExecutionProvider"])
labels = Path(os.environ["BARE_LABELS"]).read_text("utf-8").splitlines()


def classify(body: bytes) -> list[dict[str, object]]:
    """As functions/classify_image, with Pillow at full size."""
    image = Image.open(io.BytesIO(body)).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    tensor = np.ascontiguousarray(((pixels - 127) / 128).transpose(2, 0, 1)[None])
    scores = session.run(None, {session.get_inputs()[0].name: tensor})[0][0]
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    best = np.argsort(-chances)[:5]
    return [{"label": labels[place], "score": float(chances[place])} for place in best]


async def classified(request: Request) -> JSONResponse:
    """POST a photo."""
    return JSONResponse(await run_in_threadpool(classify, await request.body()))


async def echo(request: Request) -> JSONResponse:
    """POST {"n": 1}, get {"n": 2}."""
    return JSONResponse({"n": (await request.json())["n"] + 1})


app = Starlette(routes=[Route("/classify_image", classified, methods=["POST"]), Route("/echo", echo, methods=["POST"])])
