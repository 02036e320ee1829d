"""Protection of the box against web pages in its users' browsers.

hosts    the names that the box answers to, so that no other name can be made to lead here
origins  which pages may call it; all others are refused
cors     the headers for pages that may
"""
