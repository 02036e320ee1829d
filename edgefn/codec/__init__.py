"""Between HTTP bodies and Python values, by type hints: a request's way in, and a result's way out.

signature         a handler's parameters together: which part of a request is whose
parameters kinds  one parameter: how it is read from each form
type_hints        what a handler's hints say
forms             multipart, urlencoded and query strings as fields
media_types       media types, and what a Content-Type says
accept            which of the forms on offer an Accept header takes
base64_images     images inside text and objects
arrays tensors    a request's arrays; what an array must be
validation        errors that name the field
json_schema       schemas for OpenAPI
results           a result as the body that Accept asks for
result_types      schemas of results that msgspec does not know
result_values     a result's values in JSON and MessagePack
array_forms       a result's array in each form
iso8601           NumPy's dates and durations as text
pictures          a result's picture as a file, and the sizes that files hold
result_members    the member of a result that a form cannot hold, with its path
unholdable        why a form cannot hold a value
"""
