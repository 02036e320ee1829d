"""What a web page may make its visitor's browser do with the box.

hosts    the names that the box answers to, so that no other name can be made to lead here
origins  which pages may call it; everybody else's are refused
cors     what a browser is told about pages that may
"""
