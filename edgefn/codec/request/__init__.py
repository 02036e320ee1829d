"""A request's way in: from a body and a query to a handler's arguments.

signature       a handler's parameters together
choice          which parameter a body is, by itself or by name
untyped         bodies whose content type says nothing; file_kinds by their first bytes
parameters      what every parameter can do; kinds, the five of them
structured      JSON and msgpack, strict; unknown_members are refused; room for what is read
json_text       where in a document a fault lies
forms           multipart, urlencoded and query strings as fields; form_values of them
disposition     the names of a multipart form's part and of its file
encodings       compressed bodies
base64_text     base64 as people write it; base64_images inside objects
validation      errors that name the field
"""
