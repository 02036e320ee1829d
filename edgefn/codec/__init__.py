"""Between HTTP bodies and Python values, by type hints: a request's way in, and a result's way out.

signature         a handler's parameters together: which part of a request is whose
parameters kinds  one parameter: how it is read from each form
type_hints        what a handler's hints say
forms             multipart, urlencoded and query strings as fields
media_types       Content-Type and Accept
base64_images     images inside text and objects
arrays tensors    arrays' wire forms; what an array must be
validation        errors that name the field
json_schema       schemas for OpenAPI
results           a result as the body that Accept asks for
"""
