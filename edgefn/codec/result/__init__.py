"""A result's way out: the body that Accept asks for, in a form that can hold it.

results      a result as a content type and a body
accept       which of the forms on offer an Accept header takes
values       values in JSON and MessagePack
array_forms  an array in each form; iso8601, its dates and durations as text
pictures     a picture as a file, and the sizes that files hold
members      the member that a form cannot hold, with its path; unholdable, why
schemas      schemas of results that msgspec does not know
"""
