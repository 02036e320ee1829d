"""/openapi.json: the functions from their type hints, then the fixed routes.

document         the whole; kept, as bytes, while the same revisions serve
operations       one function; placement, where each parameter stands; request_content, its bodies
components       schemas by name; dialect, in words that generators know
reference        the fixed routes; admin_paths, those of the admin API; structs, their schemas
"""
