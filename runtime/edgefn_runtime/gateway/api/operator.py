"""The operator's part of the admin API: grants of functions, the audit log, and the box's secrets.

It validates and translates, as `admin` does; the effect of a grant is decided in deployment/.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgefn.api import routes as api_routes
from edgefn.api.grants import FunctionGrants, GrantList, GrantRequest
from edgefn.api.secrets import SecretList
from edgefn.errors import InputError
from edgefn_runtime.deployment.checks import permissions
from edgefn_runtime.gateway.api.answers import as_json, asked_lines, lines, served
from edgefn_runtime.gateway.api.bodies import Name, check, read, read_json
from edgefn_runtime.gateway.api.ports import AdminBox
from edgefn_runtime.store.uncancellable import in_thread
from edgefn_runtime.store.vault import MAX_BYTES
from edgefn_runtime.telemetry.audit import ACTOR


def routes(box: AdminBox) -> list[Route]:
    """Return the routes, which the admin API guards."""
    api = _Operator(box)
    return [
        served(api_routes.AUDIT, api.audit),
        served(api_routes.SECRETS, api.secrets),
        served(api_routes.SET_SECRET, api.set_secret),
        served(api_routes.REMOVE_SECRET, api.remove_secret),
        served(api_routes.GRANTS, api.grants),
        served(api_routes.FUNCTION_GRANTS, api.granted),
        served(api_routes.ALLOW, api.allow),
        served(api_routes.REVOKE, api.revoke),
    ]


class _Operator:
    """The endpoints."""

    def __init__(self, box: AdminBox) -> None:
        self._box = box

    async def audit(self, request: Request) -> Response:
        return lines(asked_lines(request), self._box.audit.tail, self._box.audit.follow, api_routes.LINES)

    async def grants(self, request: Request) -> Response:
        return as_json(GrantList(list(self._box.deployments.grants())))

    async def granted(self, request: Request) -> Response:
        return self._of(check(request.path_params["name"], Name, "name"))

    async def allow(self, request: Request) -> Response:
        """Grant a permission, and answer with the function's requests and grants.

        The function need not be deployed yet.
        """
        name = check(request.path_params["name"], Name, "name")
        wanted = await read_json(request, GrantRequest)
        await self._box.deployments.allow(name, permissions.read(wanted.kind, wanted.value), ACTOR.get().name)
        return self._of(name)

    async def revoke(self, request: Request) -> Response:
        name = check(request.path_params["name"], Name, "name")
        wanted = await read_json(request, GrantRequest)
        await self._box.deployments.revoke(name, permissions.read(wanted.kind, wanted.value))
        return self._of(name)

    async def secrets(self, request: Request) -> Response:
        """List them by name; no route gives a value."""
        return as_json(SecretList(await in_thread(self._box.vault.names)))

    async def set_secret(self, request: Request) -> Response:
        value = await read(request, MAX_BYTES)
        kept = await in_thread(self._box.vault.set, request.path_params["name"], value)
        self._box.audit.change("secret set", detail=kept.name, result="ok")
        return as_json(kept)

    async def remove_secret(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not await in_thread(self._box.vault.remove, name):
            raise InputError(f"this box has no secret {name}: list its secrets with `edgefn secret list`", field="name")
        self._box.audit.change("secret remove", detail=name, result="ok")
        return Response(status_code=204)

    def _of(self, name: str) -> Response:
        deployments = self._box.deployments
        asked = [str(permission) for permission in deployments.asked(name)]
        return as_json(FunctionGrants(name, asked, list(deployments.grants(name))))
