"""Liveness, readiness and metrics. Each only looks: none of them starts a process.

/healthz    200 while the event loop turns: a supervisor restarts the box when it does not
/readyz     200 when the box takes work, 503 with the reason when not. It is about the box: a function that
            loads, fails or is scaled to zero does not make the box unready
/metrics    Prometheus text or OpenMetrics
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgefn.errors import Unavailable
from edgefn_runtime.access.scopes import opens_status
from edgefn_runtime.gateway.api.ports import AdminBox


def routes(box: AdminBox) -> list[Route]:
    """Return the three routes. Metrics name functions, so they want a token where callers need one."""
    health = _Health(box)
    return [
        Route("/healthz", health.alive, methods=["GET"]),
        Route("/readyz", health.ready, methods=["GET"]),
        Route("/metrics", health.metrics, methods=["GET"]),
    ]


class _Health:
    def __init__(self, box: AdminBox) -> None:
        self._box = box

    async def alive(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        if reason := self._box.unready():
            raise Unavailable(f"this box is not ready: {reason}")
        return JSONResponse({"ready": True})

    async def metrics(self, request: Request) -> Response:
        await self._box.doors.admit_reader(request.scope, "the box's metrics", opens_status)
        content_type, body = await self._box.metrics.scrape(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})
