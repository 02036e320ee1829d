"""Between HTTP bodies and Python values, by type hints.

request/        a request's way in: which part of it is whose, and how each kind is read
result/         a result's way out: the form that Accept asks for and that can hold it
type_hints      what a handler's hints say
members         what msgspec's description of a type says; type_names in words
media_types     media types, and what a Content-Type says
arrays tensors  a request's arrays; what an array must be
json_schema     schemas for OpenAPI
compatibility   what a new signature breaks for its predecessor's clients
"""
