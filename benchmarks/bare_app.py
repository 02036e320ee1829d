"""The simplest thing that does the same: Starlette, Pillow and an ONNX Runtime session in one process.

    BARE_MODEL=model.onnx BARE_LABELS=labels.txt uvicorn benchmarks.bare_app:app

Written as a good engineer would who has an afternoon: uvloop and httptools, one session, its input's name looked up
once. What depends on the machine is set from outside, so that the benchmark can try which is fastest: BARE_THREADS
is how many threads work on requests (0: the event loop itself does), BARE_INTRA_OP how many work on one run.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import anyio
import numpy as np
import onnxruntime
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

INTRA_OP = int(os.environ.get("BARE_INTRA_OP", "1"))
THREADS = int(os.environ.get("BARE_THREADS", "2"))

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = INTRA_OP
options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are wanted for other requests
session = onnxruntime.InferenceSession(os.environ["BARE_MODEL"], options, providers=["CPUExecutionProvider"])
pixels_name = session.get_inputs()[0].name
labels = Path(os.environ["BARE_LABELS"]).read_text("utf-8").splitlines()
limiter = anyio.CapacityLimiter(max(1, THREADS))


def classify(body: bytes) -> list[dict[str, object]]:
    """As functions/classify_image, with Pillow at full size."""
    image = Image.open(io.BytesIO(body)).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    tensor = np.ascontiguousarray(((pixels - 127) / 128).transpose(2, 0, 1)[None])
    scores = session.run(None, {pixels_name: tensor})[0][0]
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    best = np.argsort(-chances)[:5]
    return [{"label": labels[place], "score": float(chances[place])} for place in best]


async def classified(request: Request) -> JSONResponse:
    """POST a photo."""
    body = await request.body()
    return JSONResponse(await anyio.to_thread.run_sync(classify, body, limiter=limiter) if THREADS else classify(body))


async def echo(request: Request) -> JSONResponse:
    """POST {"n": 1}, get {"n": 2}."""
    return JSONResponse({"n": (await request.json())["n"] + 1})


async def argmax(request: Request) -> JSONResponse:
    """POST raw float32, 1x3x224x224: where the largest number is. On the event loop: a thread would cost more."""
    pixels = np.frombuffer(await request.body(), "<f4").reshape(1, 3, 224, 224)
    return JSONResponse(int(pixels.argmax()))


ROUTES = {"/classify_image": classified, "/echo": echo, "/argmax": argmax}
app = Starlette(routes=[Route(path, endpoint, methods=["POST"]) for path, endpoint in ROUTES.items()])
