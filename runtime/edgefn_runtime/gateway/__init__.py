"""The box's HTTP side: one ASGI application, and the short way past it for calls.

app       routes between the parts
problems  errors as answers (RFC 9457)
invoke/   a request's way to a function and back: connection, direct, invocation, exchange
limits/   bounds for clients: heads, bodies, connections, time
origins/  which names the box answers to, and which web pages may call it
api/      the admin API, status, streams and health
openapi/  /openapi.json
"""
