"""A request's way in: from a body and a query to a handler's arguments.

signature        a handler's parameters together
choice           which parameter a body is, by itself or by name
parameters       what every parameter can do
kinds            the five kinds of parameter: image, tensor, bytes, text, value
structured       JSON and msgpack, strict
unknown_members  members that a type has not are refused
form_values      fields of forms as values of a type
base64_images    images inside objects
validation       errors that name the field
body/            a body before any type is known
"""
