"""A request's body before any type is known.

untyped      bodies whose content type says nothing
file_kinds   what a body is by its first bytes
encodings    compressed bodies
json_text    JSON as text: where in it a fault lies
base64_text  base64 as people write it
forms        multipart, urlencoded and query strings as fields
disposition  the names of a form's part and of its file
room         memory for a document, asked for before it is read
"""
